"""A running node takes telemetry in, picks up what changes, and remembers what it saw."""
import datetime
import gzip
import json
import subprocess
import time

import pytest

from conftest import indicator

WAIT_S = 20


def now(seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def eve(address, seconds=0, **more):
    return json.dumps({"timestamp": now(seconds), "event_type": "flow", "src_ip": "192.0.2.1", "src_port": 40000,
                       "dest_ip": address, "dest_port": 443, "proto": "TCP", **more}) + "\n"


def metric(node, name):
    for line in node.ask("/metrics", base=node.ops, accept=None).body.decode().splitlines():
        if line.startswith(name + " ") or line.startswith(name + "{"):
            return float(line.split()[-1])
    raise AssertionError(name)


@pytest.fixture
def sensor(node):
    """A serving node with a sensor's token."""
    node.run("user", "add", "probe", "--role", "sensor")
    node.key = node.token("probe")
    node.serve()
    return node


def send(node, text, token=None, **more):
    body = text if isinstance(text, bytes) else text.encode()
    return node.ask("/telemetry" + more.pop("query", ""), method="POST", body=body, token=token or node.key,
                    accept=None, content_type="application/x-ndjson", **more)


def hits_until(node, text, wanted):
    """Send until the answer has as many hits; how long it took."""
    start = time.monotonic()
    while True:
        answer = send(node, text() if callable(text) else text)
        assert answer.status == 200, answer.body
        if answer.json()["hits"] == wanted:
            return time.monotonic() - start
        assert time.monotonic() - start < WAIT_S, answer.body
        time.sleep(0.05)


def test_hits_become_sightings_and_repeats_do_not_flood(sensor):
    sensor.take([indicator(7)])
    text = eve("198.51.0.7") + eve("198.51.0.8") + "{broken\n" + eve("198.51.0.7", 1)
    hits_until(sensor, text, 2)
    answer = send(sensor, text).json()
    assert (answer["lines"], answer["events"], answer["hits"], answer["broken"]) == (4, 3, 2, 1)
    assert answer["format"] == "eve" and answer["first_broken"].startswith("line 3: ")
    rows = sensor.rows("sighting", "list")
    # The two events may lie on both sides of a window's end.
    assert sum(row["count"] for row in rows) == 2 and len(rows) <= 2
    assert {row["indicator"] for row in rows} == {indicator(7)["id"]}
    observed, = sensor.rows("search", "--type", "observed-data") if len(rows) == 1 else [None]
    assert observed is None or observed["id"] in rows[0]["object"]["observed_data_refs"]
    packed = send(sensor, gzip.compress(text.encode()), headers={"Content-Encoding": "gzip"}).json()
    assert packed["hits"] == 2 and packed["bytes"] == answer["bytes"]
    assert sum(row["count"] for row in sensor.rows("sighting", "list")) == 2
    assert metric(sensor, "entente_telemetry_hits_total") >= 6
    assert metric(sensor, "entente_rules") == 1


def test_the_ruleset_follows_what_changes_without_a_stop(sensor):
    assert send(sensor, eve("198.51.0.9")).json()["hits"] == 0
    sensor.take([indicator(9)])
    assert hits_until(sensor, lambda: eve("198.51.0.9"), 1) < 5
    # Revoked by another process.
    sensor.take([indicator(9, modified="2026-02-01T00:00:00.000Z", revoked=True)])
    hits_until(sensor, lambda: eve("198.51.0.9"), 0)
    # Expires by the clock alone.
    sensor.take([indicator(10, valid_until=now(3))])
    hits_until(sensor, lambda: eve("198.51.0.10"), 1)
    hits_until(sensor, lambda: eve("198.51.0.10"), 0)
    # By TAXII.
    sensor.run("user", "add", "writer", "--role", "analyst")
    sensor.run("collection", "grant", "default", "writer", "--write", "--read")
    answer = sensor.ask("/api/collections/default/objects/", method="POST", token=sensor.token("writer"),
                        body=json.dumps({"objects": [indicator(11)]}).encode())
    assert answer.status == 202, answer.body
    hits_until(sensor, lambda: eve("198.51.0.11"), 1)
    # A warning list takes it out, and its removal brings it back.
    sensor.run("allow", "add", "-", "--name", "ours", stdin=b"198.51.0.0/24\n")
    hits_until(sensor, lambda: eve("198.51.0.11"), 0)
    sensor.run("allow", "remove", "ours")
    hits_until(sensor, lambda: eve("198.51.0.11"), 1)
    sensor.run("remove", indicator(11)["id"], "--collection", "default")
    hits_until(sensor, lambda: eve("198.51.0.11"), 0)
    assert sensor.process.poll() is None


def test_who_may_not_is_refused(sensor):
    sensor.run("user", "add", "reader", "--role", "reader")
    text = eve("198.51.0.9")
    assert send(sensor, text, token=sensor.token("reader")).status == 403
    assert send(sensor, text, token="ent_0000000000000000_" + "A" * 43).status == 401
    assert sensor.ask("/telemetry", method="POST", body=b"x", accept=None).status == 401
    assert sensor.ask("/telemetry", token=sensor.key, accept=None).status == 405
    assert send(sensor, text, headers={"Content-Encoding": "br"}).status == 415
    answer = send(sensor, text, query="?format=none")
    assert answer.status == 400 and "none" in answer.json()["error"]
    assert send(sensor, text, query="?format=eve").status == 200


def test_a_new_indicator_is_asked_of_the_past(sensor):
    assert send(sensor, eve("198.51.0.21", -7200) + eve("198.51.0.22")).json()["hits"] == 0
    sensor.take([indicator(21)])
    deadline = time.monotonic() + WAIT_S
    while not sensor.rows("sighting", "list"):
        assert time.monotonic() < deadline, (sensor.folder / "serve.log").read_text()
        time.sleep(0.1)
    row, = sensor.rows("sighting", "list")
    assert row["indicator"] == indicator(21)["id"] and row["count"] == 1
    found = sensor.rows("retro", indicator(21)["id"])
    assert [value["value"] for value in found[0]["values"]] == ["198.51.0.21"]
    assert sensor.rows("retro", "--value", "198.51.0.99") == []
    assert sensor.rows("retro", "--value", "198.51.0.22")
    assert len(sensor.rows("retro", "--pattern", "[ipv4-addr:value ISSUBSET '198.51.0.0/24']")) == 2
    assert sensor.rows("retro", "--value", "198.51.0.21", "--since", now(-3000)) == []
    missing = "indicator--00000099-0000-4000-8000-000000000099"
    assert sensor.run("retro", missing, check=False).returncode == 3


def test_what_was_recorded_outlives_a_stop_and_a_broken_hour_is_named(sensor):
    send(sensor, eve("198.51.0.31", -7200) + eve("198.51.0.32"))
    assert sensor.stop() == 0
    hours = sorted(path.name for path in (sensor.folder / "retro").glob("*.hour"))
    assert len(hours) == 2
    assert sensor.rows("retro", "--value", "198.51.0.31")
    broken = sensor.folder / "retro" / hours[0]
    broken.write_bytes(broken.read_bytes()[:-3])
    done = sensor.run("retro", "--value", "198.51.0.31", "--value", "198.51.0.32", check=False)
    assert done.returncode == 1 and "198.51.0.32" in done.out and "198.51.0.31" not in done.out
    assert f"entente: retro/{hours[0]}: a block fails its check: not asked\n" in done.err or \
        f"entente: retro/{hours[0]}: is cut short: not asked\n" in done.err


def test_a_kill_loses_no_sighting_that_was_answered(sensor):
    sensor.take([indicator(41)])
    hits_until(sensor, eve("198.51.0.41"), 1)
    before = sensor.rows("sighting", "list")
    sensor.process.kill()
    sensor.process.wait()
    sensor.process.stdout.close()
    sensor.process = None
    assert sensor.rows("sighting", "list") == before and len(before) == 1
    sensor.serve()
    assert send(sensor, eve("198.51.0.41", 1)).json()["hits"] == 1
    assert sum(row["count"] for row in sensor.rows("sighting", "list")) >= 2
    sensor.run("rebuild")
