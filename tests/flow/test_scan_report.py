"""What a scan leaves in the node: sightings of its hits, and the record of what it saw."""
import json
import subprocess

import pytest

from conftest import indicator, program


def eve(number, second=0):
    return json.dumps({"timestamp": f"2026-03-01T10:00:{second:02d}.000000+0000", "event_type": "flow",
                       "src_ip": "192.0.2.1", "src_port": 40000, "dest_ip": f"198.51.0.{number}", "dest_port": 443,
                       "proto": "TCP"}) + "\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "eve.json"
    path.write_text(eve(7) + eve(8, 1) + eve(7, 2))
    return path


def test_report_makes_sightings_and_counts_nothing_twice(node, log):
    node.take([indicator(7)])
    done = node.run("scan", "--report", log)
    assert done.out.count("\n") == 2
    assert done.err == "sightings: 1 made, 0 updated; 2 new events of 2 hits\n"
    row, = node.rows("sighting", "list")
    assert (row["count"], row["indicator"]) == (2, indicator(7)["id"])
    assert node.run("scan", "--report", log).err == "sightings: 0 made, 0 updated; 0 new events of 2 hits\n"
    assert node.rows("sighting", "list") == [row]
    log.write_text(log.read_text() + eve(7, 3))
    # -q reads to the end when hits are kept.
    assert node.run("scan", "-q", "--report", log).err == ""
    again, = node.rows("sighting", "list")
    assert again["id"] == row["id"] and again["count"] == 3 and again["last_seen"].startswith("2026-03-01T10:00:03")


def test_only_what_is_told_is_reported(node, log):
    node.take([indicator(7)])
    done = node.run("scan", "--report", "-m", 1, log)
    assert "1 new events of 1 hits" in done.err
    assert node.run("scan", "--report", "--only", "url", log, check=False).returncode == 1
    assert [row["count"] for row in node.rows("sighting", "list")] == [1]


def test_hits_of_no_stix_indicator_are_said_and_not_reported(node, log):
    done = node.run("scan", "--report", "-e", "[ipv4-addr:value = '198.51.0.8']", log)
    assert "1 hits of no STIX indicator are not reported" in done.err
    assert node.rows("sighting", "list") == []
    bundle = log.parent / "bundle.json"
    bundle.write_text(json.dumps({"type": "bundle", "id": "bundle--4f0a8f6e-6f4b-4d3a-9a43-1f2c6e0c8a11",
                                  "objects": [indicator(8)]}))
    assert "1 made, 0 updated" in node.run("scan", "--report", "-i", bundle, log).err
    row, = node.rows("sighting", "list")
    assert row["indicator"] == indicator(8)["id"]


def test_what_was_recorded_is_found_by_a_new_indicator(node, log):
    done = node.run("scan", "--record", log, check=False)
    assert (done.returncode, done.out) == (1, ""), done.err
    assert node.rows("retro") == []
    node.take([indicator(8)])
    row, = node.rows("retro", indicator(8)["id"])
    assert [value["value"] for value in row["values"]] == ["198.51.0.8"]
    assert row["first_seen"].startswith("2026-03-01T10:00:01")
    # Both at once, over lines of which most hit nothing.
    log.write_text("".join(eve(n % 200, n % 60) for n in range(1000)))
    done = node.run("scan", "--record", "--report", "-c", log)
    assert done.out == "5\n" and "1 made, 0 updated; 5 new events of 5 hits" in done.err
    assert node.rows("retro", "--value", "198.51.0.199")


@pytest.mark.parametrize("option", ["--report", "--record"])
def test_a_missing_node_is_one_line(tmp_path, log, option):
    done = subprocess.run([program(), "scan", option, "-e", "[ipv4-addr:value = '198.51.0.8']", str(log),
                           "--folder", str(tmp_path / "none")], capture_output=True, timeout=60)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"entente: ") and done.stderr.count(b"\n") == 1


def test_warning_lists_are_named(node, log):
    node.take([indicator(7), indicator(8)])
    node.run("allow", "add", "-", "--name", "ours", stdin=b"198.51.0.8\n")
    done = node.run("scan", log)
    assert done.err == 'indicators not run: 1 on warning lists ("ours": 1 values)\n'
    assert "198.51.0.7" in done.out and "198.51.0.8" not in done.out
    assert node.run("scan", "-q", log).err == ""
    done = node.run("scan", "-e", "[ipv4-addr:value = '198.51.0.8']", log)
    assert "not run: 2 on" in done.err
