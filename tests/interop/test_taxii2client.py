"""OASIS's own client (taxii2-client) reads and writes a live node."""
import pytest
import requests
from conftest import PASSWORD, flow
from taxii2client.exceptions import AccessError
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

indicator = flow.indicator


@pytest.fixture
def opened(served, as_analyst):
    return Collection(f"{served.url}/api/collections/{served.open}/", **as_analyst)


def add(collection, objects, **more):
    return collection.add_objects({"objects": objects}, **more)


def test_discovery_roots_and_collections(served, as_analyst):
    server = Server(served.url + "/taxii2/", **as_analyst)
    assert server.title and len(server.api_roots) == 1
    root = server.default
    assert root.url == served.url + "/api/"
    assert root.versions == ["application/taxii+json;version=2.1"] and root.max_content_length > 0
    found = {row.id: row for row in root.collections}
    assert set(found) == {served.open, served.drop}
    assert found[served.open].can_read and found[served.open].can_write
    assert not found[served.drop].can_read and found[served.drop].can_write
    assert found[served.open].alias == "open"


def test_no_credentials_no_entry(served):
    with pytest.raises(requests.exceptions.HTTPError) as refused:
        Server(served.url + "/taxii2/", verify=served.certificate).title
    assert refused.value.response.status_code == 401


def test_objects_go_round(opened):
    things = [indicator(i) for i in range(25)]
    status = add(opened, things)
    assert status.status == "complete" and status.success_count == 25 and status.failure_count == 0
    assert {row["id"] for row in status.successes} == {thing["id"] for thing in things}
    status.refresh()
    assert status.status == "complete"
    assert opened.get_objects()["objects"] == things
    assert opened.get_object(things[3]["id"])["objects"] == [things[3]]
    assert [row["id"] for row in opened.get_manifest()["objects"]] == [thing["id"] for thing in things]


def test_failures_are_told_object_by_object(opened):
    broken = {**indicator(2), "id": "indicator--7"}
    status = add(opened, [indicator(1), broken])
    assert status.success_count == 1 and status.failure_count == 1
    assert status.failures[0]["id"] == "indicator--7" and status.failures[0]["message"]


def test_a_large_post_is_waited_for(opened):
    status = add(opened, [indicator(i) for i in range(6000)], wait_for_completion=True, poll_interval=0.1)
    assert status.status == "complete" and status.success_count == 6000


@pytest.mark.parametrize("per_request", [1, 7, 25, 100])
def test_pages(opened, per_request):
    things = [indicator(i) for i in range(25)]
    add(opened, things)
    pages = list(as_pages(opened.get_objects, per_request=per_request))
    assert [thing for page in pages for thing in page.get("objects", [])] == things
    pages = list(as_pages(opened.get_manifest, per_request=per_request, type="indicator"))
    assert sum(len(page.get("objects", [])) for page in pages) == 25


def test_filters(opened):
    newer = "2026-05-01T00:00:00.000Z"
    add(opened, [indicator(1), indicator(1, modified=newer), indicator(2)])
    one = indicator(1)["id"]
    assert len(opened.get_objects()["objects"]) == 2
    assert len(opened.get_objects(version="all")["objects"]) == 3
    assert opened.get_objects(id=one)["objects"][0]["modified"] == newer
    assert opened.get_object(one, version="first")["objects"][0]["modified"] < newer
    assert len(opened.get_objects(id=[one, indicator(2)["id"]], version=["first", newer])["objects"]) == 3
    assert opened.get_objects(type="malware") == {}
    assert opened.get_objects(added_after="2100-01-01T00:00:00Z") == {}
    assert len(opened.get_objects(spec_version="2.1")["objects"]) == 2
    assert opened.object_versions(one)["versions"] == [indicator(1)["modified"], newer]


def test_delete(opened):
    add(opened, [indicator(1), indicator(2)])
    opened.delete_object(indicator(1)["id"])
    assert [thing["id"] for thing in opened.get_objects()["objects"]] == [indicator(2)["id"]]
    with pytest.raises(requests.exceptions.HTTPError) as gone:
        opened.get_object(indicator(1)["id"])
    assert gone.value.response.status_code == 404


def test_rights(served):
    reader = {"user": "reader", "password": PASSWORD, "verify": served.certificate}
    opened = Collection(f"{served.url}/api/collections/{served.open}/", **reader)
    assert opened.get_objects() == {}
    with pytest.raises(AccessError):
        add(opened, [indicator(1)])
    with pytest.raises(requests.exceptions.HTTPError) as hidden:
        Collection(f"{served.url}/api/collections/{served.drop}/", **reader).title
    assert hidden.value.response.status_code == 404


def test_a_root_by_itself(served, as_analyst):
    root = ApiRoot(served.url + "/api/", **as_analyst)
    assert root.title and {row.alias for row in root.collections} == {"open", "drop"}
