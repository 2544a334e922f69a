"""The stix2 library keeps and finds its objects in a live node."""
import pytest
import stix2
from taxii2client.v21 import Collection


@pytest.fixture
def opened(served, as_analyst):
    return Collection(f"{served.url}/api/collections/{served.open}/", **as_analyst)


def things():
    author = stix2.Identity(name="An author", identity_class="organization")
    first = stix2.Indicator(
        name="first", pattern="[domain-name:value = 'a.example']", pattern_type="stix", created_by_ref=author,
        valid_from="2026-01-01T00:00:00Z", object_marking_refs=[stix2.TLP_GREEN])
    malware = stix2.Malware(name="some malware", is_family=True)
    link = stix2.Relationship(first, "indicates", malware)
    address = stix2.IPv4Address(value="198.51.100.7")
    return [author, first, malware, link, address, stix2.TLP_GREEN]


def test_the_sink_writes_and_the_source_reads(opened):
    sink, source = stix2.TAXIICollectionSink(opened), stix2.TAXIICollectionSource(opened)
    objects = things()
    sink.add(objects)
    for thing in objects:
        assert source.get(thing.id) == thing, thing.type


def test_the_source_filters(opened):
    stix2.TAXIICollectionSink(opened).add(things())
    source = stix2.TAXIICollectionSource(opened)
    assert {thing.type for thing in source.query()} == {
        "identity", "indicator", "malware", "relationship", "ipv4-addr", "marking-definition"}
    assert [thing.name for thing in source.query([stix2.Filter("type", "=", "malware")])] == ["some malware"]
    assert source.query([stix2.Filter("type", "=", "tool")]) == []


def test_versions_are_all_kept(opened):
    sink, source = stix2.TAXIICollectionSink(opened), stix2.TAXIICollectionSource(opened)
    first = things()[1]
    second = first.new_version(name="second")
    sink.add([first, second])
    assert source.get(first.id).name == "second"
    assert {thing.name for thing in source.all_versions(first.id)} == {"first", "second"}


def test_an_environment_over_a_node(opened):
    environment = stix2.Environment(
        source=stix2.TAXIICollectionSource(opened), sink=stix2.TAXIICollectionSink(opened))
    made = environment.create(stix2.Campaign, name="a campaign")
    environment.add(made)
    assert environment.get(made.id) == made
