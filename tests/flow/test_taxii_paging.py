"""Pages while others write: nothing is skipped, nothing comes twice, whoever writes what meanwhile."""
import json
import threading

import pytest
from conftest import indicator

OBJECTS = "/api/collections/open/objects/"


@pytest.fixture
def served(node):
    node.user("writer", "correct horse battery")
    node.collection("Open", alias="open")
    node.run("collection", "grant", "open", "writer", "--read", "--write")
    node.writer = node.token("writer")
    return node.serve()


def get(node, query):
    answer = node.ask(OBJECTS + "?" + query, token=node.writer)
    assert answer.status == 200, answer.body
    return answer


def ids(page):
    return [thing["id"] for thing in page.get("objects", [])]


class Writers:
    """Some threads that POST runs of objects of their own until they have no more."""

    def __init__(self, node, count, each, seed):
        self.node, self.failures = node, []
        self.threads = [threading.Thread(target=self.write, args=(k, each, seed.randrange(1 << 30)))
                        for k in range(count)]
        self.expected = {indicator(k * 100_000 + i)["id"] for k in range(count) for i in range(each)}

    def write(self, writer, each, chance):
        at = 0
        while at < each:
            chance = chance * 1103515245 + 12345 & 0x7fffffff
            run = min(1 + chance % 20, each - at)
            body = json.dumps({"objects": [indicator(writer * 100_000 + at + i) for i in range(run)]})
            answer = self.node.ask(OBJECTS, method="POST", body=body.encode(), token=self.node.writer)
            if answer.status != 202 or answer.json()["success_count"] != run:
                self.failures.append(answer.body)
                return
            at += run

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()

    def are_writing(self):
        return any(thread.is_alive() for thread in self.threads)


def follow_next(node, limit):
    """One walk by `next`, from the first page until a page says there is no more."""
    page = get(node, f"limit={limit}").json()
    found = ids(page)
    while page.get("more"):
        page = get(node, f"limit={limit}&next={page['next']}").json()
        found += ids(page)
    return found


def test_readers_miss_nothing_while_others_write(served, seed):
    """A poller by added_after and the last date, as real clients are, sees each addition exactly once."""
    seen, after = [], ""
    with Writers(served, 3, 300, seed) as writers:
        idle = 0
        while idle < 2:
            idle = 0 if writers.are_writing() else idle + 1
            while True:
                answer = get(served, f"limit={seed.randrange(1, 60)}{after}")
                page = ids(answer.json())
                seen += page
                if page:
                    after = "&added_after=" + answer.headers["X-TAXII-Date-Added-Last"]
                if not answer.json().get("more"):
                    break
    assert not writers.failures
    assert len(seen) == len(set(seen)) and set(seen) == writers.expected


def test_a_walk_by_next_repeats_nothing_while_others_write(served, seed):
    with Writers(served, 2, 100, seed) as writers:
        while writers.are_writing():
            found = follow_next(served, seed.randrange(1, 50))
            assert len(found) == len(set(found))
    assert not writers.failures
    assert set(follow_next(served, 7)) == writers.expected


def test_what_a_walk_saw_stays_where_it_was(served, seed):
    """The order is that of addition: an earlier walk is a prefix of each later one."""
    before = []
    with Writers(served, 2, 80, seed) as writers:
        while writers.are_writing():
            found = follow_next(served, seed.randrange(1, 50))
            assert found[:len(before)] == before
            before = found
    assert not writers.failures


def test_dates_strictly_increase_over_writers(served, seed):
    with Writers(served, 3, 40, seed) as writers:
        pass
    assert not writers.failures
    answer = served.ask("/api/collections/open/manifest/?limit=10000", token=served.writer)
    dates = [row["date_added"] for row in answer.json()["objects"]]
    assert len(dates) == 120 and dates == sorted(set(dates))
    assert answer.headers["X-TAXII-Date-Added-First"] == dates[0]
    assert answer.headers["X-TAXII-Date-Added-Last"] == dates[-1]


def test_new_versions_during_a_walk_lose_no_object(served):
    """An object replaced between two pages moves to the end and is seen there."""
    body = json.dumps({"objects": [indicator(i) for i in range(20)]}).encode()
    assert served.ask(OBJECTS, method="POST", body=body, token=served.writer).status == 202
    page = get(served, "limit=5").json()
    found = {thing["id"]: thing["modified"] for thing in page["objects"]}
    newer = [indicator(i, modified="2026-06-01T00:00:00.000Z") for i in (2, 7, 19)]
    body = json.dumps({"objects": newer}).encode()
    assert served.ask(OBJECTS, method="POST", body=body, token=served.writer).status == 202
    while page.get("more"):
        page = get(served, f"limit=5&next={page['next']}").json()
        found.update({thing["id"]: thing["modified"] for thing in page["objects"]})
    assert len(found) == 20
    for thing in newer:
        assert found[thing["id"]] == thing["modified"]
