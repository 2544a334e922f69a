"""What was answered with 202 is taken in, whatever happens to the process in between."""
import json
import signal
import time

import pytest
from conftest import indicator

PASSWORD = "correct horse battery"
OBJECTS = "/api/collections/open/objects/"
COUNT = 3000


@pytest.fixture
def served(node):
    node.user("writer", PASSWORD)
    node.collection("Open", alias="open")
    node.run("collection", "grant", "open", "writer", "--read", "--write")
    with open(node.folder / "entente.yaml", "a") as settings:
        settings.write("taxii_sync_objects_max: 10\n")
    node.token_text = node.token("writer")
    return node.serve()


def ask(node, path, **more):
    return node.ask(path, token=node.token_text, **more)


def post(node, objects):
    answer = ask(node, OBJECTS, method="POST", body=json.dumps({"objects": objects}).encode())
    assert answer.status == 202
    return answer.json()


def completed(node, status_id):
    """The status once it is complete, with what it was before on the way."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = ask(node, f"/api/status/{status_id}/")
        assert answer.status == 200
        status = answer.json()
        assert status["id"] == status_id and status["total_count"] == COUNT
        if status["status"] == "complete":
            return status
        assert status["pending_count"] == COUNT
        time.sleep(0.05)
    pytest.fail("the status stays pending")


def held(node):
    """The ids of all objects, page by page."""
    ids, query = [], "limit=1000"
    while True:
        page = ask(node, f"{OBJECTS}?{query}").json()
        ids += [found["id"] for found in page.get("objects", [])]
        if not page.get("more"):
            return ids
        query = "limit=1000&next=" + page["next"]


def all_are_there(node, statuses, objects):
    for before in statuses:
        after = completed(node, before["id"])
        assert after["success_count"] == COUNT and after["failure_count"] == 0
        assert after["request_timestamp"] == before["request_timestamp"]
    assert sorted(held(node)) == sorted(made["id"] for made in objects)
    assert list((node.folder / "accepted").iterdir()) == []


def test_a_kill_at_once_behind_the_202_loses_nothing(served):
    objects = [indicator(number) for number in range(COUNT)]
    status = post(served, objects)
    served.stop(signal.SIGKILL)
    if status["status"] == "pending":
        assert status["pending_count"] == COUNT
    left = list((served.folder / "accepted").iterdir())
    assert len(left) <= 1 and all(file.stat().st_mode & 0o777 == 0o600 for file in left)
    served.serve()
    if left:
        all_are_there(served, [status], objects)
    else:  # it was quick
        assert len(held(served)) == COUNT


def test_kills_and_stops_in_the_middle_lose_nothing(served, seed):
    """Several wait; the process goes down, hard or gently, at any moment, and comes back."""
    objects = [indicator(number) for number in range(4 * COUNT)]
    statuses = [post(served, objects[from_:from_ + COUNT]) for from_ in range(0, len(objects), COUNT)]
    lost = set()
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        time.sleep(seed.uniform(0, 0.2))
        served.stop(how)
        waits = {file.stem for file in (served.folder / "accepted").iterdir() if file.suffix == ".json"}
        lost |= {status["id"] for status in statuses} - waits
        served.serve()
    all_are_there(served, [status for status in statuses if status["id"] not in lost], objects)


def test_a_right_that_went_meanwhile_is_told(served):
    """Another process holds the store, so that the POST still waits when the node goes down."""
    import fcntl
    with open(served.folder / "write.lock", "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status = post(served, [indicator(number) for number in range(COUNT)])
        assert status["status"] == "pending"
        served.stop(signal.SIGKILL)
        assert [file.stem for file in (served.folder / "accepted").iterdir()] == [status["id"]]
    served.run("collection", "revoke", "open", "writer", "--write")
    served.serve()
    after = completed(served, status["id"])
    assert after["success_count"] == 0 and after["failure_count"] == COUNT == len(after["failures"])
    assert "no right" in after["x_entente_message"]
    assert held(served) == []
    assert list((served.folder / "accepted").iterdir()) == []
    assert "taxii.post_failed" in (served.folder / "serve.log").read_text()
