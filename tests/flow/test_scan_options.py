"""Options of `entente scan` that choose rules and input, each shown to make a difference."""
import json
import shutil
import subprocess

import pytest

from conftest import bundle, indicator, program
from test_scan import EVIL, ended, eve, scan, started

GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
BADGE = """name: badge
shape: json
each: peer.
ip          address
each: ""
when        time
"""


def flow(address):
    return json.dumps({"timestamp": "2026-03-01T10:00:00.000000+0000", "event_type": "flow", "src_ip": "192.0.2.1",
                       "src_port": 40000, "dest_ip": address, "dest_port": 443, "proto": "TCP"}) + "\n"


def found(done):
    """Which of the numbered indicators hit."""
    return sorted(int(json.loads(line)["indicator"][-12:], 16) for line in done.out.splitlines())


@pytest.fixture
def feed(tmp_path):
    """Makes a bundle of indicators and a log that each of them hits."""
    def made(*objects):
        (tmp_path / "feed.json").write_text(json.dumps(bundle(list(objects))))
        (tmp_path / "flow.json").write_text("".join(flow(f"198.51.0.{n}") for n in range(1, 10)))
        return ["--json", "-i", tmp_path / "feed.json", tmp_path / "flow.json"]
    return made


def test_max_count_stops_an_input_after_so_many_lines(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text((eve("good.example") + eve("evil.example")) * 5)
    done = scan("-e", EVIL, "-m", 2, tmp_path / "a")
    assert [line.split("\t")[0].split(":")[1] for line in done.out.splitlines()] == ["2", "4"]
    assert scan("-e", EVIL, "-m", 2, tmp_path).out.count("\n") == 4
    assert scan("-e", EVIL, "-c", "-m", 3, tmp_path / "a").out == "3\n"
    assert scan("-e", EVIL, "-m", 0, tmp_path / "a").returncode == 2


def test_min_confidence_leaves_doubtful_indicators_out(feed):
    ask = feed(indicator(1, confidence=80), indicator(2, confidence=20))
    assert found(scan(*ask)) == [1, 2]
    assert found(scan("--min-confidence", 80, *ask)) == [1]
    assert scan("--min-confidence", 81, *ask).returncode == 2
    assert scan("--min-confidence", 101, *ask).returncode == 2


def test_max_tlp_leaves_stricter_indicators_out(feed):
    ask = feed(indicator(1, object_marking_refs=[GREEN]), indicator(2, object_marking_refs=[RED]))
    assert found(scan("--max-tlp", "red", *ask)) == [1, 2]
    assert found(scan("--max-tlp", "amber", *ask)) == [1]
    done = scan("--max-tlp", "pink", *ask)
    assert done.returncode == 2 and '--max-tlp = "pink"' in done.err


def test_expired_indicators_are_run_when_asked_for(feed):
    ask = feed(indicator(1), indicator(2, valid_until="2026-01-02T00:00:00Z"))
    assert found(scan(*ask)) == [1]
    assert found(scan("--expired", *ask)) == [1, 2]


def test_exact_domains_and_public_suffixes(tmp_path):
    log = tmp_path / "log"
    log.write_text(eve("sub.evil.example") + eve("evil.example"))
    assert scan("-c", "-e", EVIL, log).out == "2\n"
    assert scan("-c", "-e", EVIL, "--exact-domains", log).out == "1\n"
    log.write_text(eve("shop.co.uk") + eve("co.uk"))
    suffix = "[domain-name:value = 'co.uk']"
    assert scan("-c", "-e", suffix, log).out == "1\n"
    assert scan("-c", "-e", suffix, "--public-suffixes", log).out == "2\n"


def test_networks_contain(tmp_path):
    log = tmp_path / "log"
    log.write_text(flow("198.51.100.7"))
    network = "[ipv4-addr:value = '198.51.100.0/24']"
    assert scan("-c", "-e", network, log).out == "0\n"
    assert scan("-c", "-e", network, "--networks-contain", log).out == "1\n"


def test_a_map_of_ones_own(tmp_path):
    (tmp_path / "badge.map").write_text(BADGE)
    log = tmp_path / "doors.json"
    log.write_text('{"when":1767225600,"peer":{"ip":"192.0.2.1"}}\n{"when":1767225601,"other":{"ip":"192.0.2.1"}}\n')
    pattern = "[ipv4-addr:value = '192.0.2.1']"
    done = scan("--json", "-e", pattern, "--map", tmp_path / "badge.map", log)
    row, = [json.loads(line) for line in done.out.splitlines()]
    assert (row["line"], row["time"][:19]) == (1, "2026-01-01T00:00:00")
    (tmp_path / "wrong.map").write_text("name: badge\nshape: cube\n")
    done = scan("-e", pattern, "--map", tmp_path / "wrong.map", log)
    assert done.returncode == 2 and "wrong.map" in done.err


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd program here")
def test_zstd_is_unpacked_and_a_cut_one_is_told(tmp_path):
    text = (eve("good.example") * 20000 + eve("evil.example")).encode()
    packed = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
    log = tmp_path / "eve.zst"
    log.write_bytes(packed)
    assert f"{log}:20001:" in scan("-e", EVIL, log).out
    assert scan("-c", "-e", EVIL, "-", stdin=packed).out == "1\n"
    log.write_bytes(packed[:-20])
    done = scan("-e", EVIL, log)
    assert done.returncode == 2 and str(log) in done.err


def test_a_file_that_is_cut_in_place_is_read_again(tmp_path):
    log = tmp_path / "eve.json"
    log.write_text(eve("good.example") * 2 + eve("evil.example"))
    process = started("-f", log, "--state", tmp_path / "state")
    assert json.loads(process.stdout.readline())["line"] == 3
    shutil.copy(log, tmp_path / "eve.json.1")
    log.write_text(eve("evil.example"))
    assert json.loads(process.stdout.readline())["line"] == 1
    assert ended(process) == (0, [])


def test_a_closed_pipe_ends_the_scan_without_words(tmp_path):
    log = tmp_path / "eve.json"
    log.write_text(eve("evil.example") * 20000)
    process = subprocess.Popen([program(), "scan", "-e", EVIL, str(log)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert b"evil.example" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0 and process.stderr.read() == b""
    process.stderr.close()
