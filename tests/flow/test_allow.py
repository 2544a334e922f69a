"""Warning lists from files to the node and back."""
import gzip
import json


def misp(values, **more):
    return json.dumps({"name": "Resolvers", "version": 3, "type": "cidr", "description": "public ones",
                       "matching_attributes": ["ip-dst"], "list": values, **more}).encode()


def test_lists_are_kept_replaced_and_removed(node, tmp_path):
    plain = tmp_path / "our-hosts.txt"
    plain.write_text("# ours\nexample.org\n.intra.example\n")
    packed = tmp_path / "list.json.gz"
    packed.write_bytes(gzip.compress(misp(["9.9.9.9", "8.8.8.0/24"])))
    done = node.run("allow", "add", plain, packed)
    assert done.err == '"our-hosts": 2 values (hostname) kept\n"Resolvers": 2 values (cidr) kept\n'
    assert node.run("allow", "add", plain).err == '"our-hosts": 2 values (hostname) held already\n'
    rows = node.rows("allow", "list")
    assert [(row["name"], row["type"], row["values"], row["version"]) for row in rows] == [
        ("Resolvers", "cidr", 2, "3"), ("our-hosts", "hostname", 2, "")]
    node.run("allow", "add", "-", stdin=misp(["1.1.1.1"]))
    assert node.rows("allow", "list")[0]["values"] == 1
    before = node.rows("status", "--json")
    node.run("rebuild")
    assert node.rows("allow", "list")[0]["values"] == 1 and before
    node.run("allow", "remove", "Resolvers")
    assert [row["name"] for row in node.rows("allow", "list")] == ["our-hosts"]
    # The values go with the last list that has them.
    assert len(list((node.folder / "allow").iterdir())) == 1


def test_a_wrong_list_is_refused_in_one_line(node, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_bytes(misp(["10.0.0.0/8", "10.0.0.0/33"]))
    done = node.run("allow", "add", bad, check=False)
    assert (done.returncode, done.err) == (1, f'entente: {bad}: entry 2: "10.0.0.0/33" is no network\n')
    done = node.run("allow", "remove", "none", check=False)
    assert (done.returncode, done.err) == (3, 'entente: no warning list "none"\n')
    assert node.run("allow", "add", bad, "--type", "glob", check=False).returncode == 2
    assert node.rows("allow", "list") == []
