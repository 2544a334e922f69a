"""OASIS's validator finds no error in what a node gives out."""
import json
import subprocess

import stix2validator
from conftest import flow

OPTIONS = stix2validator.ValidationOptions(version="2.1", strict=False)


def errors(document):
    result = stix2validator.validate_instance(document, OPTIONS)
    return [str(error) for error in result.errors]


def bundle_of(objects):
    return flow.bundle(objects)


def samples():
    address = {"type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd",
               "value": "198.51.100.3"}
    malware = {"type": "malware", "spec_version": "2.1", "id": "malware--3a41e552-999b-4ad3-bedc-332b6d9ff80c",
               "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": "a malware",
               "is_family": False, "malware_types": ["bot"]}
    link = {"type": "relationship", "spec_version": "2.1", "id": "relationship--57b56a43-b8b0-4cba-9deb-34e3e1faed9e",
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "relationship_type": "indicates", "source_ref": flow.indicator(1)["id"], "target_ref": malware["id"]}
    return [flow.indicator(1), flow.indicator(2), address, malware, link]


def test_what_we_serve_is_valid(served):
    served.take(samples(), "--collection", "open")
    token = served.token("reader")
    page = served.ask("/api/collections/open/objects/", token=token).json()
    assert len(page["objects"]) == 5
    assert errors(bundle_of(page["objects"])) == []


def test_what_we_export_is_valid(node):
    node.take(samples())
    exported = json.loads(node.run("export").out)
    assert len(exported["objects"]) == 5
    assert errors(exported) == []


def test_real_material_comes_out_no_worse_than_it_went_in(node, data):
    """ATT&CK breaks a rule here and there; nothing is added to that on the way through."""
    attack = data / "attack" / "enterprise-attack.json.zst"
    node.run("import", attack)
    exported = json.loads(node.run("export").out)
    assert len(exported["objects"]) > 20_000
    sample = exported["objects"][::200]
    original = json.loads(subprocess.run(["zstd", "-dc", attack], capture_output=True, check=True).stdout)
    by_key = {(thing["id"], thing.get("modified")): thing for thing in original["objects"]}
    for thing in sample:
        assert by_key[thing["id"], thing.get("modified")] == thing
    assert len(errors(bundle_of(sample))) == len(errors(bundle_of(
        [by_key[thing["id"], thing.get("modified")] for thing in sample])))
