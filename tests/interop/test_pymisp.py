"""Our MISP feed, read by PyMISP as MISP's own tools read feeds."""
import json

import pytest

pymisp = pytest.importorskip("pymisp")

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def seen(number, pattern):
    return {"type": "indicator", "spec_version": "2.1", "id": "indicator--%08x-0000-4000-8000-%012x" % (number, number),
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": f"number {number}",
            "pattern_type": "stix", "pattern": pattern, "valid_from": "2026-01-01T00:00:00Z",
            "object_marking_refs": ["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]}


def test_the_feed_is_loaded(node, tmp_path):
    node.run("import", "-", stdin=json.dumps({"type": "bundle", "id": "bundle--4f0a8f6e-6f4b-4d3a-9a43-1f2c6e0c8a11", "objects": [
        seen(1, "[ipv4-addr:value = '203.0.113.0/24']"), seen(2, "[domain-name:value = 'evil.example']"),
        seen(3, f"[file:hashes.MD5 = '{MD5}']"), seen(4, "[email-addr:value = 'bob@evil.example']"),
        seen(5, "[file:name = 'a \"b\".exe']"), seen(6, "[url:value = 'http://evil.example/x']")]}).encode())
    node.run("export", "--to", "misp", "--out", tmp_path / "feed")
    manifest = json.loads((tmp_path / "feed" / "manifest.json").read_text())
    (ident, about), = manifest.items()
    event = pymisp.MISPEvent()
    event.load_file(str(tmp_path / "feed" / f"{ident}.json"))
    assert event.uuid == ident and event.info == about["info"] and event.published
    assert {(row.type, row.value) for row in event.attributes} == {
        ("ip-dst", "203.0.113.0/24"), ("domain", "evil.example"), ("md5", MD5), ("email-src", "bob@evil.example"),
        ("filename", 'a "b".exe'), ("url", "http://evil.example/x")}
    assert all(row.to_ids and row.tags[0].name == "tlp:amber" for row in event.attributes)
    assert [tag.name for tag in event.tags] == ["tlp:amber"]
    assert event.attributes[0].uuid == "00000001-0000-4000-8000-000000000001"
    assert event.to_feed()["Event"]["uuid"] == ident
