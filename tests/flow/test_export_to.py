"""Files for defences: what goes in and what stays out, read by the programs they are for."""
import csv
import io
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, indicator
from test_agreement import agree, introduce, pair  # noqa: F401

CLEAR = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
PAP_RED = "marking-definition--5e8a1c11-1111-4111-8111-000000000001"
PAP_AMBER = "marking-definition--5e8a1c11-1111-4111-8111-000000000002"
PAP_GREEN = "marking-definition--5e8a1c11-1111-4111-8111-000000000003"
LOOK = "marking-definition--5e8a1c11-1111-4111-8111-000000000004"
MEMBER = "identity--8c1a7b1e-52d0-4b6e-9a6e-0f1d8a1c0001"
PAP_EXTENSION = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "a" * 40, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def pap(ident, level):
    return {"type": "marking-definition", "spec_version": "2.1", "id": ident, "created": "2026-01-01T00:00:00.000Z",
            "name": "PAP:" + level.upper(), "extensions": {PAP_EXTENSION: {"extension_type": "property-extension", "pap": level}}}


def seen(number, pattern, **more):
    return indicator(number, pattern=pattern, **more)


OBJECTS = [
    seen(1, "[ipv4-addr:value = '203.0.113.5']", name="command; and \"control\"\nline", confidence=80),
    seen(2, "[ipv4-addr:value = '203.0.113.0/24']"),
    seen(3, "[ipv6-addr:value = '2001:DB8:0::5']"),
    seen(4, "[domain-name:value = 'Evil.Example' OR domain-name:value = 'mail.evil.example']"),
    seen(5, "[domain-name:value = 'b\u00fccher.example']"),
    seen(6, "[domain-name:value IN ('one.example', 'two.example')]"),
    seen(7, "[url:value = 'http://evil.example/a\"b;c,d?e=|f']"),
    seen(8, f"[file:hashes.MD5 = '{MD5.upper()}']"),
    seen(9, f"[file:hashes.'SHA-256' = '{SHA256}']"),
    seen(10, "[email-addr:value = 'bob@evil.example']"),
    seen(11, "[file:name = '=cmd|calc.exe']", confidence=30),
    seen(12, f"[file:hashes.'SHA-1' = '{SHA1}']"),
]
LEFT_OUT = {
    "revoked": seen(101, "[ipv4-addr:value = '198.51.100.1']", revoked=True),
    "expired": seen(102, "[ipv4-addr:value = '198.51.100.2']", valid_until="2026-02-01T00:00:00Z"),
    "not-yet-valid": seen(103, "[ipv4-addr:value = '198.51.100.3']", valid_from="2999-01-01T00:00:00Z"),
    "low-confidence": seen(104, "[ipv4-addr:value = '198.51.100.4']", confidence=29),
    "language": seen(105, "alert ip any any -> any any (sid:1;)", pattern_type="snort"),
    "compound": seen(106, "[ipv4-addr:value = '198.51.100.6' AND network-traffic:dst_port = 80]"),
    "allow-listed": seen(107, "[ipv4-addr:value = '9.9.9.9']"),
    "too-broad": seen(108, "[ipv4-addr:value = '0.0.0.0/0']"),
    "malformed": seen(109, "[domain-name:value = 'a.example\n0.0.0.0 b.example']"),
    "kind": seen(110, "[process:name = 'x']"),
    "not-permitted": seen(111, "[ipv4-addr:value = '198.51.100.11']", object_marking_refs=[PAP_RED]),
}


@pytest.fixture
def defended(node):
    node.collection("Shared", alias="shared")
    node.take([pap(PAP_RED, "red"), pap(PAP_AMBER, "amber"), pap(PAP_GREEN, "green"), *OBJECTS, *LEFT_OUT.values()],
              "--collection", "shared", "--check", "lenient")
    node.run("allow", "add", "-", stdin=json.dumps({"name": "Resolvers", "version": 1, "type": "cidr", "description": "",
                                                    "list": ["9.9.9.0/24"]}).encode())
    return node


def body(text, mark="#"):
    return [line for line in text.splitlines() if not line.startswith(mark)]


def find(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not here")
    return path


def accepted(*command, stdin=None):
    done = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, timeout=120)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.decode()


def test_a_list_holds_what_may_be_blocked_and_says_what_is_left_out(defended, tmp_path):
    done = defended.run("export", "--to", "list", "--out", tmp_path / "list", "--json")
    report = json.loads(done.out)
    assert report["left_out"] == {name: 1 for name in LEFT_OUT}
    assert report["warning_lists"] == {"Resolvers": 1} and report["indicators"] == len(OBJECTS)
    text = (tmp_path / "list").read_text()
    assert body(text) == [
        "203.0.113.0/24", "2001:db8::5", "xn--bcher-kva.example", "one.example", "evil.example",
        "mail.evil.example", "two.example", "http://evil.example/a\"b;c,d?e=|f", "bob@evil.example", "=cmd|calc.exe", MD5, SHA1, SHA256]
    assert report["within_others"] == 1
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[1].startswith("# from: Entente (identity--") and head[2].startswith("# when: 20") and head[3] == "# until: no end"
    assert "1 revoked" in head[5] and "1 not permitted for this use" in head[5]
    told = defended.run("export", "--to", "list", "--out", tmp_path / "list").err
    assert "left out: 1 revoked, 1 expired" in told and 'on warning lists: "Resolvers" 1 values' in told
    assert defended.run("export", "--to", "list").out == text


def test_the_same_state_is_the_same_file(defended, tmp_path):
    for name in ("list", "csv", "nft", "rpz", "zeek", "suricata", "ipset", "unbound", "dnsmasq", "hosts"):
        once, again = (defended.run("export", "--to", name).out for _ in range(2))
        assert once == again
    # whatever the order in which they came
    from conftest import Node
    other = Node(tmp_path / "other")
    other.init()
    other.take([pap(PAP_RED, "red"), *reversed(OBJECTS)], "--check", "lenient")
    assert body(other.run("export", "--to", "list").out) == body(defended.run("export", "--to", "list").out)


@pytest.mark.parametrize("marking,uses", [(PAP_RED, ["csv", "zeek"]), (PAP_AMBER, ["csv", "zeek"]),
                                          (PAP_GREEN, ["csv", "zeek", "nft"]), (LOOK, ["csv"]),
                                          ("marking-definition--11111111-1111-4111-8111-111111111111", ["csv"])])
def test_what_may_only_be_looked_at_is_not_blocked(node, marking, uses):
    look = {"type": "marking-definition", "spec_version": "2.1", "id": LOOK, "created": "2026-01-01T00:00:00.000Z",
            "definition_type": "iep", "definition": {
                "iep": {"version": 2.0, "start_date": "2026-01-01T00:00:00Z", "end_date": None, "tlp": "amber",
                        "permitted_actions": "none", "affected_party_notifications": "may",
                        "attribution": "may", "unmodified_resale": "must-not", "encrypt_in_transit": "may"}}}
    node.take([pap(PAP_RED, "red"), pap(PAP_AMBER, "amber"), pap(PAP_GREEN, "green"), look,
               indicator(1, object_marking_refs=[marking])], "--check", "lenient")
    for name in ("csv", "zeek", "nft"):
        report = json.loads(node.run("export", "--to", name, "--json").err)
        assert report["indicators"] == (name in uses), (name, report)
        assert report["left_out"] == ({} if name in uses else {"not-permitted": 1})
    wanted = "read" if uses == ["csv"] else "detect" if marking == PAP_RED else "lookup" if marking == PAP_AMBER else "block"
    row, = csv.DictReader(io.StringIO(node.run("export", "--to", "csv").out))
    assert row["permitted"] == wanted
    assert (len(body(node.run("export", "--to", "list", "--use", "read").out)), node.run(
        "export", "--to", "nft", "--use", "read", check=False).returncode) == (1, 2)


def test_csv_is_rfc_4180_and_no_cell_is_a_formula(defended):
    text = defended.run("export", "--to", "csv").out
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert text.count("\n") == len(rows) + 1
    by_id = {row["indicator"]: row for row in rows}
    assert by_id[OBJECTS[0]["id"]]["name"] == 'command; and "control" line'
    assert by_id[OBJECTS[10]["id"]]["value"] == "'=cmd|calc.exe"
    assert by_id[OBJECTS[0]["id"]]["confidence"] == "80" and by_id[OBJECTS[0]["id"]]["exported_from"] == "Entente"
    assert by_id[OBJECTS[1]["id"]]["value"] == "203.0.113.0/24"  # not joined: each has its own indicator
    assert all(value is not None for row in rows for value in row.values())


def test_nft_takes_it(defended, tmp_path):
    defended.run("export", "--to", "nft", "--out", tmp_path / "e.nft")
    text = (tmp_path / "e.nft").read_text()
    assert "203.0.113.0/24,\n}" in text and "2001:db8::5,\n}" in text and "203.0.113.5" not in text
    nft = find("nft")
    if subprocess.run([nft, "list", "tables"], capture_output=True).returncode != 0:
        pytest.skip("nft is not let near the kernel here")
    accepted(nft, "-c", "-f", tmp_path / "e.nft")


def test_ipset_takes_it(defended, tmp_path):
    text = defended.run("export", "--to", "ipset").out
    assert body(text)[:5] == ["create entente4 hash:net family inet maxelem 4194304 -exist",
                              "create entente4-new hash:net family inet maxelem 4194304 -exist",
                              "flush entente4-new", "add entente4-new 203.0.113.0/24", "swap entente4-new entente4"]
    ipset = find("ipset")
    inside = shutil.which("unshare") and subprocess.run(
        ["unshare", "-rn", ipset, "list"], capture_output=True).returncode == 0
    if not inside:
        pytest.skip("ipset is not let near the kernel here")
    accepted("unshare", "-rn", ipset, "restore", stdin=text.encode() + text.encode())  # and once more over itself


def test_bind_takes_the_zone(defended, tmp_path):
    defended.run("export", "install", "rpz", tmp_path / "rpz.db", "--zone", "rpz.our.example")
    text = (tmp_path / "rpz.db").read_text()
    rows = body(text, ";")
    assert rows[0] == "$ORIGIN rpz.our.example."
    assert rows[4:] == ["24.0.113.0.203.rpz-ip CNAME .", "128.5.zz.db8.2001.rpz-ip CNAME .",
                        *[line for name in ("xn--bcher-kva.example", "one.example", "evil.example", "two.example")
                          for line in (f"{name} CNAME .", f"*.{name} CNAME .")]]
    accepted(find("named-checkzone"), "rpz.our.example", tmp_path / "rpz.db")
    exact = defended.run("export", "--to", "rpz", "--exact-domains").out
    assert "*." not in exact and "mail.evil.example CNAME ." in exact
    assert defended.run("export", "--to", "rpz", "--zone", "a\nb", check=False).returncode == 2


def test_a_public_suffix_is_itself_alone(node, tmp_path):
    node.take([seen(1, "[domain-name:value = 'co.uk']"), seen(2, "[domain-name:value = 'evil.co.uk']")])
    assert body(node.run("export", "--to", "rpz").out, ";")[4:] == ["co.uk CNAME .", "evil.co.uk CNAME .", "*.evil.co.uk CNAME ."]
    unbound = node.run("export", "--to", "unbound").out
    assert 'local-data: "co.uk. A 0.0.0.0"' in unbound and 'local-zone: "evil.co.uk." always_nxdomain' in unbound
    (tmp_path / "u.conf").write_text(unbound)
    accepted(find("unbound-checkconf"), tmp_path / "u.conf")
    (tmp_path / "d.conf").write_text(node.run("export", "--to", "dnsmasq").out)
    accepted(find("dnsmasq"), "--test", "-C", tmp_path / "d.conf")


def test_unbound_and_dnsmasq_take_it(defended, tmp_path):
    defended.run("export", "--to", "unbound", "--out", tmp_path / "u.conf")
    defended.run("export", "--to", "dnsmasq", "--out", tmp_path / "d.conf")
    accepted(find("unbound-checkconf"), tmp_path / "u.conf")
    accepted(find("dnsmasq"), "--test", "-C", tmp_path / "d.conf")
    assert "local=/evil.example/" in (tmp_path / "d.conf").read_text()
    assert "mail.evil.example" not in (tmp_path / "d.conf").read_text()
    hosts = body(defended.run("export", "--to", "hosts").out)
    assert hosts == ["0.0.0.0 " + name for name in
                     ("xn--bcher-kva.example", "one.example", "evil.example", "mail.evil.example", "two.example")]


def golden(name, text):
    """The file is the same but for who wrote it and when."""
    text = re.sub(r"identity--[0-9a-f-]{36}", "identity--OWN", text)
    text = re.sub(r"when: \S+", "when: WHEN", text)
    path = ROOT / "tests" / "golden" / "export" / name
    if os.environ.get("GOLDEN") == "update":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("version", [6, 7, 8])
def test_suricata(defended, tmp_path, version):
    rules = defended.run("export", "--to", "suricata", "--suricata-version", str(version)).out
    golden(f"suricata{version}.rules", rules)
    folder = tmp_path / "suricata"
    defended.run("export", "--to", "suricata-datasets", "--suricata-version", str(version), "--out", folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(["entente-domains.lst", "entente-md5.lst", "entente-sha1.lst", "entente-sha256.lst",
                            "entente-ip.lst", "entente-iprep.list", "entente-categories.txt", "entente-datasets.rules"])
    for name in names:
        if name.endswith((".rules", ".list", ".txt")):
            golden(f"suricata{version}-{name}", (folder / name).read_text())
    import base64
    domains = [base64.b64decode(line, validate=True).decode() for line in (folder / "entente-domains.lst").read_text().split()]
    assert "evil.example" in domains and len(domains) == 5
    # single addresses alone; PAP:RED may be looked for, though not blocked
    assert (folder / "entente-ip.lst").read_text().split() == ["198.51.100.11", "203.0.113.5", "2001:db8::5"]
    for used in re.findall(r"(?:load |file(?:md5|sha1|sha256):)(\S+?);", (folder / "entente-datasets.rules").read_text()):
        assert (folder / used).stat().st_size > 0
    sids = re.findall(r"sid:(\d+);", rules + (folder / "entente-datasets.rules").read_text())
    assert len(sids) == len(set(sids))


def test_zeek(defended):
    text = defended.run("export", "--to", "zeek").out
    golden("zeek.intel", text)
    rows = [line.split("\t") for line in body(text)]
    assert all(len(row) == 5 and row[1].startswith("Intel::") for row in rows)
    assert ["evil.example/a\"b;c,d?e=|f", "Intel::URL"] in [row[:2] for row in rows]
    assert ["203.0.113.0/24", "Intel::SUBNET"] in [row[:2] for row in rows]


def test_install_writes_on_change_alone_and_whole(defended, tmp_path):
    target = tmp_path / "list.txt"
    first = defended.rows("export", "install", "list", target)[0]
    assert first["changed"] is True
    target.chmod(0o640)
    stamp = target.stat().st_mtime_ns
    assert defended.rows("export", "install", "list", target)[0]["changed"] is False
    assert target.stat().st_mtime_ns == stamp
    defended.take([indicator(500)], "--collection", "shared")
    assert defended.rows("export", "install", "list", target)[0]["changed"] is True
    assert "198.51.1.244" in target.read_text() and target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("list")] == ["list.txt"]
    missing = defended.run("export", "install", "list", tmp_path / "none" / "list.txt", check=False)
    assert missing.returncode == 3 and not (tmp_path / "none").exists()
    assert defended.run("export", "install", "nothing", target, check=False).returncode == 2
    defended.run("export", "install", "nft", tmp_path)
    assert (tmp_path / "entente.nft").exists()


def test_what_leaves_is_in_the_log(defended):
    defended.run("export", "--to", "csv", "--only", "domain")
    row = defended.rows("audit", "--kind", "export")[-1]
    assert "csv" in json.dumps(row) and "--only=domain" in json.dumps(row)
    rows = body(defended.run("export", "--to", "list", "--only", "domain-name", "--only", "md5").out)
    assert rows[-1] == MD5 and len(rows) == 6
    assert defended.run("export", "--to", "list", "--only", "nothing", check=False).returncode == 2
    assert defended.run("export", "--to", "nothing", check=False).returncode == 2
    assert defended.run("export", "--only", "md5", check=False).returncode == 2
    assert defended.run("export", "--to", "list", "--type", "indicator", check=False).returncode == 2


def test_the_reader_gets_what_it_may_have(node):
    node.collection("Open", alias="open")
    node.run("user", "add", "member", "--organisation", MEMBER)
    node.run("collection", "grant", "open", "member", "--read")
    node.take([indicator(1, object_marking_refs=[CLEAR]), indicator(2, object_marking_refs=[RED])], "--collection", "open")
    assert body(node.run("export", "--to", "list").out) == ["198.51.0.1", "198.51.0.2"]
    for who in (("--as", "member"), ("--for", MEMBER)):
        done = node.run("export", "--to", "list", "--json", *who)
        assert body(done.out) == ["198.51.0.1"] and json.loads(done.err)["left_out"] == {"withheld": 1}
    assert body(node.run("export", "--to", "list", "--max-tlp", "green").out) == ["198.51.0.1"]
    node.run("collection", "revoke", "open", "member", "--read")
    assert body(node.run("export", "--to", "list", "--as", "member").out) == []


def test_the_newest_version_counts_wherever_it_is(node):
    node.collection("A", alias="a")
    node.collection("B", alias="b")
    node.take([indicator(1), indicator(2)], "--collection", "a")
    node.take([indicator(1, modified="2026-02-01T00:00:00.000Z", revoked=True)], "--collection", "b")
    report = json.loads(node.run("export", "--to", "nft", "--json").err)
    assert report["indicators"] == 1 and report["left_out"] == {"revoked": 1}


def test_snort3(defended):
    text = defended.run("export", "--to", "snort3").out
    golden("snort3.rules", text)
    assert '|04|evil|07|example|00|' in text
    for line in body(text):
        assert line.startswith("alert ") and line.endswith("rev:1; )") and line.count('"') % 2 == 0


def test_splunk(defended, tmp_path):
    rows = list(csv.DictReader(io.StringIO(defended.run("export", "--to", "splunk").out), strict=True))
    assert list(rows[0]) == ["description", "domain", "file_hash", "file_name", "ip", "src_user", "url", "weight"]
    assert all(sum(1 for name in list(row)[1:7] if row[name]) == 1 for row in rows)
    assert {row["weight"] for row in rows} == {"60", "80", "30"}
    defended.run("export", "--to", "splunk-lookups", "--out", tmp_path / "lookups")
    heads = {path.name: path.read_text().splitlines()[0] for path in (tmp_path / "lookups").iterdir()}
    assert heads == {
        "local_ip_intel.csv": "description,ip,weight", "local_domain_intel.csv": "description,domain,weight",
        "local_http_intel.csv": "description,http_referrer,http_user_agent,url,weight",
        "local_file_intel.csv": "description,file_hash,file_name,weight",
        "local_email_intel.csv": "description,src_user,subject,weight"}


def test_elastic_takes_it_in_bulk(defended):
    lines = [json.loads(line) for line in defended.run("export", "--to", "elastic").out.splitlines()]
    acts, documents = lines[::2], lines[1::2]
    assert all(set(act) == {"index"} for act in acts) and len({act["index"]["_id"] for act in acts}) == len(acts)
    found = {document["threat"]["indicator"]["type"]: document for document in documents}
    assert set(found) == {"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file"}
    one = found["ipv4-addr"]
    assert one["event"] == {"kind": "enrichment", "category": "threat", "type": "indicator", "dataset": "entente.indicator"}
    assert one["threat"]["indicator"]["ip"] in ("203.0.113.5", "198.51.100.11")
    assert one["threat"]["feed"]["name"] == "Entente" and "/" not in one["threat"]["indicator"]["ip"]
    assert found["url"]["threat"]["indicator"]["url"]["full"] == 'http://evil.example/a"b;c,d?e=|f'


def test_stix_and_sentinel_hold_whole_objects(node):
    maker = {"type": "identity", "spec_version": "2.1", "id": MEMBER, "created": "2026-01-01T00:00:00.000Z",
             "modified": "2026-01-01T00:00:00.000Z", "name": "Maker", "identity_class": "organization"}
    compound = seen(3, "[ipv4-addr:value = '198.51.100.6' AND network-traffic:dst_port = 80]")
    node.take([pap(PAP_RED, "red"), maker, indicator(2, created_by_ref=MEMBER), indicator(1, object_marking_refs=[PAP_RED]),
               compound, LEFT_OUT["revoked"], LEFT_OUT["expired"], LEFT_OUT["low-confidence"]], "--check", "lenient")
    made = json.loads(node.run("export", "--to", "stix").out)
    assert [row["id"] for row in made["objects"]] == [
        *sorted([MEMBER, PAP_RED]), indicator(1)["id"], indicator(2)["id"], compound["id"]]
    assert made["objects"][3]["created_by_ref"] == MEMBER
    assert node.run("export", "--to", "stix").out == node.run("export", "--to", "stix").out
    requests = [json.loads(line) for line in node.run("export", "--to", "sentinel").out.splitlines()]
    # PAP:RED may not be shown to others' services
    assert [row["id"] for row in requests[0]["stixobjects"]] == [indicator(2)["id"], compound["id"]]
    assert requests[0]["sourcesystem"] == "Entente"
    node.take([indicator(number) for number in range(1000, 1250)])
    requests = [json.loads(line) for line in node.run("export", "--to", "sentinel").out.splitlines()]
    assert [len(request["stixobjects"]) for request in requests] == [100, 100, 52]


def test_a_redacted_copy_is_what_a_bundle_holds(node):
    node.collection("Open", alias="open")
    part = indicator(20, object_marking_refs=[CLEAR], description="tell-nobody",
                     granular_markings=[{"marking_ref": RED, "selectors": ["description"]}])
    node.take([part], "--collection", "open")
    text = node.run("export", "--to", "stix", "--for", MEMBER).out
    assert "tell-nobody" not in text and part["id"] not in [row["id"] for row in json.loads(text)["objects"]]
    assert "tell-nobody" in node.run("export", "--to", "stix").out


def test_a_misp_feed_is_a_folder(defended, tmp_path):
    defended.run("export", "--to", "misp", "--out", tmp_path / "feed")
    manifest = json.loads((tmp_path / "feed" / "manifest.json").read_text())
    (ident, about), = manifest.items()
    event = json.loads((tmp_path / "feed" / f"{ident}.json").read_text())["Event"]
    assert event["uuid"] == ident and {key: event[key] for key in about} == about
    assert about["Orgc"]["name"] == "Entente" and re.fullmatch(r"\d{4}-\d\d-\d\d", about["date"])
    rows = {row["value"]: row for row in event["Attribute"]}
    assert rows["203.0.113.5"]["type"] == "ip-dst" and rows["203.0.113.5"]["uuid"] == OBJECTS[0]["id"].split("--")[1]
    assert rows[SHA256]["type"] == "sha256" and rows["bob@evil.example"]["type"] == "email-src"
    assert len({row["uuid"] for row in event["Attribute"]}) == len(event["Attribute"])
    assert defended.run("export", "--to", "misp", check=False).returncode == 2
    assert json.loads(defended.run("export", "--to", "misp-event").out)["Event"]["uuid"] == ident


def test_what_a_partner_made_is_used_as_the_agreement_permits(pair, tmp_path):  # noqa: F811
    """The bilateral template permits actions that others see, but no direct ones."""
    a, _ = pair
    _, partner = introduce(pair, tmp_path)
    a.take([indicator(1, created_by_ref=partner), indicator(2)], "--check", "lenient")

    def reports():
        return [json.loads(a.run("export", "--to", name, "--json").err) for name in ("csv", "zeek", "nft")]
    assert [report["indicators"] for report in reports()] == [2, 2, 2]
    agreement = agree(pair, tmp_path, partner)
    assert [report["indicators"] for report in reports()] == [2, 2, 1]
    assert reports()[2]["left_out"] == {"not-permitted": 1}
    a.run("agreement", "end", agreement)  # what came under it is still used as it says
    assert [report["indicators"] for report in reports()] == [2, 2, 1]


def test_a_full_device_is_told(defended):
    assert defended.run("export", "--to", "list", "--out", "/dev/full", check=False).returncode == 75
