"""What `entente scan` finds, prints and answers, from outside."""
import gzip
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from conftest import data_folder, program

EVIL = "[domain-name:value = 'evil.example']"


def eve(name):
    return json.dumps({"timestamp": "2026-01-01T00:00:00.000000+0000", "event_type": "dns", "src_ip": "10.0.0.5",
                       "dest_ip": "10.0.0.1", "dns": {"type": "query", "rrname": name, "rrtype": "A"}}) + "\n"


def scan(*arguments, stdin=b""):
    done = subprocess.run([program(), "scan", *map(str, arguments)], input=stdin, capture_output=True, timeout=120)
    done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert "Sanitizer" not in done.err, done.err
    return done


def test_a_hit_names_its_line_and_rule(tmp_path):
    log = tmp_path / "eve.json"
    log.write_text(eve("good.example") + eve("evil.example"))
    done = scan("-e", EVIL, log)
    place, rule, _, fields, line = done.out.rstrip("\n").split("\t")
    assert done.returncode == 0 and place == f"{log}:2:{len(eve('good.example'))}"
    assert fields.startswith("domain-name:value = evil.example") and line + "\n" == eve("evil.example")
    row = json.loads(scan("-e", EVIL, "--json", log).out)
    assert (row["line"], row["file"], row["fields"][0]["value"]) == (2, str(log), "evil.example")
    assert scan("-e", EVIL, "-c", log).out == "1\n"
    assert scan("-e", EVIL, "-l", log).out == f"{log}\n"
    assert scan("-e", EVIL, "-q", log).out == ""
    assert "\x1b[1;31mevil.example\x1b[0m" in scan("-e", EVIL, "--color", "always", log).out
    assert scan("-e", EVIL, "--only", "url", log).returncode == 1
    assert scan("-e", "[domain-name:value = 'none.example']", log).returncode == 1


def test_bad_input_is_told_and_passed_over(tmp_path):
    log = tmp_path / "eve.json"
    log.write_bytes(eve("good.example").encode() + b"{broken\n" + b"\0\0\n" + b"x" * (20 << 20) + b"\n"
                    + eve("evil.example").encode())
    done = scan("-e", EVIL, "--format", "eve", "--summary", log)
    assert done.returncode == 0 and f"{log}:5:" in done.out
    assert "line 2: " in done.err and "line 4: a line over" in done.err and "1 too long" in done.err
    done = scan("-e", EVIL, tmp_path / "none", log)
    assert done.returncode == 2 and ":5:" in done.out and "none: cannot open: No such file" in done.err
    assert scan("-i", tmp_path / "none", log).returncode == 2
    assert scan("-e", "[nonsense", log).returncode == 2
    (tmp_path / "empty").mkdir()
    assert "no files" in scan("-e", EVIL, tmp_path / "empty").err


def test_packed_files_folders_and_threads(tmp_path):
    (tmp_path / "b.gz").write_bytes(gzip.compress((eve("good.example") * 20000 + eve("evil.example")).encode()))
    (tmp_path / "a").write_text(eve("evil.example") * 3000)
    outs = {scan("-e", EVIL, "--threads", n, tmp_path).out for n in (1, 2, 5)}
    assert len(outs) == 1 and outs.pop().count("\n") == 3001


def started(*arguments):
    return subprocess.Popen([program(), "scan", "--json", "-e", EVIL, *map(str, arguments)], stdout=subprocess.PIPE)


def ended(process):
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    return process.returncode, [json.loads(line)["line"] for line in out.splitlines()]


def test_following_sees_rotation_and_goes_on_where_it_stopped(tmp_path):
    log, state = tmp_path / "eve.json", tmp_path / "state"
    log.write_text(eve("evil.example"))
    process = started("-f", log, "--state", state)
    assert json.loads(process.stdout.readline())["line"] == 1
    os.rename(log, tmp_path / "eve.json.1")
    log.write_text(eve("good.example") + eve("evil.example"))
    assert json.loads(process.stdout.readline())["line"] == 2
    assert ended(process) == (0, [])
    with log.open("a") as file:
        file.write(eve("evil.example"))
    process = started("-f", log, "--state", state)
    assert json.loads(process.stdout.readline())["line"] == 3
    assert ended(process) == (0, [])


def test_a_socket_takes_connections(tmp_path):
    path = tmp_path / "s"
    process = started("--listen", path)
    for _ in range(600):
        if path.exists():
            break
        time.sleep(0.05)
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(eve("evil.example").encode())
        assert json.loads(process.stdout.readline())["line"] == 1
    assert ended(process)[0] == 0 and not path.exists()


def test_cases_of_detection():
    folder = data_folder()
    if folder is None:
        pytest.skip("no cases here")
    for text in (folder / "cases" / "detect_cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(text)
        if case["status"] != "must":
            continue
        stdin = case["input"].encode(case.get("encoding", "utf-8"))
        done = scan("--format", case["format"], "-e", case["indicator"], "-q", "-", stdin=stdin)
        assert done.returncode == (0 if case["hit"] else 1), (case["id"], done.err)
