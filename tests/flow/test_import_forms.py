"""`entente import` of what teams have beside STIX: lists, hosts files, blocklists, CSV."""
import gzip
import json

import pytest
from conftest import indicator

AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"


def shown(node):
    rows = node.rows("search", "--type", "indicator", check=False)
    return {json.loads(node.run("show", row["id"], "--raw").out)["pattern"]: row["id"] for row in rows}


def test_a_list_is_recognised_taken_and_found_again(node, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("# of today\n198.51.100.7\nevil.example\n198.51.100.0/28\nwhat is this\n")
    done = node.run("import", path, "--tlp", "amber", "--confidence", 80, "--label", "feed", "--valid-days", 30)
    assert done.err.splitlines()[0] == (
        f'{path}: line 5: "what is this": no address, network, name, URL, hash or mail address; left out')
    held = shown(node)
    assert set(held) == {"[ipv4-addr:value = '198.51.100.7']", "[domain-name:value = 'evil.example']",
                         "[ipv4-addr:value ISSUBSET '198.51.100.0/28']"}
    one = json.loads(node.run("show", held["[domain-name:value = 'evil.example']"], "--raw").out)
    assert (one["object_marking_refs"], one["confidence"], one["labels"]) == ([AMBER], 80, ["feed"])
    assert one["valid_until"] > one["valid_from"]
    row = node.rows("import", path, "--tlp", "amber", "--confidence", 80, "--label", "feed", "--valid-days", 30)[-1]
    assert (row["taken"], row["held"]) == (0, 3)
    assert shown(node) == held
    # What came from a list is run like any other indicator.
    (tmp_path / "log.json").write_text('{"event_type":"dns","dns":{"type":"query","rrname":"evil.example","rrtype":"A"}}\n')
    assert node.run("scan", tmp_path / "log.json", check=False).returncode == 0


@pytest.mark.parametrize("name,text,more", [
    ("feed.csv", "type,value,tags\nip,198.51.100.7,a\n", ()),
    ("feed.csv.gz", "ip;note\n198.51.100.7;x\n", ()),
    ("hosts", "0.0.0.0 a.example\n", ("--from", "hosts")),
    ("rows", "198.51.100.7,x\n", ("--columns", "value,-")),
    ("block", "||a.example^\n", ()),
])
def test_forms(node, tmp_path, name, text, more):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert node.rows("import", path, *more)[-1]["taken"] == 1
    assert node.rows("import", "-", *more, stdin=text.encode())[-1]["taken"] in (0, 1)
    assert len(shown(node)) == 1


def test_a_folder_holds_all_forms(node, tmp_path):
    folder = tmp_path / "feeds"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps([indicator(1)]))
    (folder / "b.list").write_text("198.51.100.7\n")
    (folder / "c.csv").write_text("value,type\na.example,domain\n")
    (folder / "readme.md").write_text("198.51.100.8\n")
    node.run("import", folder)
    assert len(shown(node)) == 3


@pytest.mark.parametrize("data,words", [
    (b"\xff\xfea\0", "the text is UTF-16: convert it to UTF-8 first"),
    (b"198.51.100.7\0\n", "byte 12 is zero: this is no text"),
    (b"198.51.100.7\n" + b"a" * 70000, "line 2: longer than 65536 bytes"),
])
def test_bad_input_is_refused_whole_with_one_line(node, tmp_path, data, words):
    path = tmp_path / "bad"
    path.write_bytes(data)
    done = node.run("import", path, check=False)
    assert done.returncode == 1 and f"entente: {path}: {words}" in done.err.splitlines(), done.err
    assert shown(node) == {}


def test_misuse(node, tmp_path):
    (tmp_path / "x").write_text("a.example\n")
    for more, words in ((("--from", "pdf"), "stix, list, hosts, blocklist or csv"), (("--tlp", "pink"), "amber+strict"),
                        (("--columns", "value", "--from", "list"), "--columns goes with --from csv"),
                        (("--confidence", "101"), "confidence")):
        done = node.run("import", tmp_path / "x", *more, check=False)
        assert done.returncode == 2 and words in done.err, (more, done.err)
    done = node.run("import", tmp_path / "x", "--columns", "valeu", check=False)
    assert done.returncode == 1 and '--columns: "valeu" is no role' in done.err
