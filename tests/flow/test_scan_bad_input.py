"""Whatever a log or a pattern holds: it is counted and said, memory stays small, and the rest is scanned."""
import json
import os
import resource
import subprocess
import time

import pytest

from conftest import program
from test_scan import EVIL, ended, eve, scan, started

SANITIZED = b"__asan_init" in open(program(), "rb").read()
MEMORY_MB = 1200 if SANITIZED else 160  # a sanitizer keeps what is freed for a while


def bounded(*arguments, stdin=None):
    """A scan and the memory it took, in MB."""
    process = subprocess.Popen([program(), "scan", *map(str, arguments)], stdin=subprocess.PIPE if stdin else None,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(stdin, timeout=120)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def largest_child_mb():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def test_a_line_of_a_hundred_megabytes(tmp_path):
    log = tmp_path / "eve.json"
    with log.open("wb") as file:
        file.write(eve("evil.example").encode())
        file.write(b'{"event_type":"dns","x":"' + b"y" * (100 << 20) + b'"}\n')
        file.write(eve("evil.example").encode())
    code, out, err = bounded("-e", EVIL, "--format", "eve", "--threads", 1, log)
    assert code == 0 and [row.split(":")[1] for row in out.splitlines()] == ["1", "3"]
    assert "line 2: a line over 16777216 bytes: passed over" in err
    assert largest_child_mb() < MEMORY_MB


def test_nul_bytes_and_broken_json_in_the_middle(tmp_path):
    log = tmp_path / "eve.json"
    broken = [b"{broken", b"\0" * 100, b'{"event_type":"dns","dns":{"rrname":"evil.example"', b"[" * 100000, b"\xff\xfe{}"]
    log.write_bytes(eve("good.example").encode() + b"".join(line + b"\n" for line in broken) + eve("evil.example").encode())
    for extra in ((), ("--slow",)):
        code, out, err = bounded("-e", EVIL, "--format", "eve", "--summary", "--threads", 1, *extra, log)
        assert code == 0 and out.split(":")[1] == str(len(broken) + 2)
        if extra:
            assert f"{len(broken)} broken" in err and "line 2: " in err
    # A value with a NUL byte is another value; the same log in another order of bytes is text.
    named = eve("evil.example\\u0000x") + eve("evil.example")
    log.write_text(named)
    code, out, _ = bounded("-e", EVIL, "-c", log)
    assert (code, out) == (0, "1\n")


def test_a_log_is_rotated_while_it_is_read(tmp_path):
    log, state = tmp_path / "eve.json", tmp_path / "state"
    log.write_text(eve("evil.example"))
    process = started("-f", log, "--state", state)
    assert json.loads(process.stdout.readline())["line"] == 1
    for number in range(3):
        with log.open("a") as file:
            file.write(eve("evil.example")[:-5])
            file.flush()
            os.rename(log, tmp_path / f"eve.json.{number}")
            file.write(eve("evil.example")[-5:])
        log.write_text(eve("good.example") + eve("evil.example"))
        assert [json.loads(process.stdout.readline())["line"] for _ in range(2)] in ([2, 2], [3, 2])
    assert ended(process) == (0, [])


def test_a_folder_is_followed(tmp_path):
    folder, state = tmp_path / "logs", tmp_path / "state"
    folder.mkdir()
    (folder / "a").write_text(eve("evil.example"))
    process = started("-f", folder, "--state", state)
    assert json.loads(process.stdout.readline())["file"] == str(folder / "a")
    (folder / "b").write_text(eve("good.example") + eve("evil.example"))
    row = json.loads(process.stdout.readline())
    assert (row["file"], row["line"]) == (str(folder / "b"), 2)
    os.rename(folder / "a", folder / "a.1")
    (folder / "a").write_text(eve("evil.example"))
    assert json.loads(process.stdout.readline())["line"] == 1
    assert ended(process) == (0, [])
    process = started("-f", folder, "--state", state)
    time.sleep(0.3)
    assert ended(process)[1] == []


EXPLODING = [
    ("repeats", "[domain-name:value = 'evil.example'] REPEATS 1000000000 TIMES", 1),
    ("repeats of repeats", "(([domain-name:value = 'evil.example'] REPEATS 1000 TIMES) REPEATS 1000 TIMES) "
     "REPEATS 1000 TIMES", 1),
    ("many alike", " FOLLOWEDBY ".join(["[domain-name:value = 'evil.example']"] * 12), 0),
    ("sixty alike", " FOLLOWEDBY ".join(["[domain-name:value = 'evil.example']"] * 60), 0),
    ("many of many kinds", " AND ".join(["[domain-name:value LIKE '%evil%']"] * 60), 0),
    ("nested groups", "(" * 60 + "[domain-name:value = 'evil.example']" + ")" * 60, 0),
    ("nested in brackets", "[" + "(" * 60 + "domain-name:value = 'evil.example'" + ")" * 60 + "]", 0),
    ("deeper than anything", "(" * 100000 + "[domain-name:value = 'evil.example']" + ")" * 100000, 2),
    ("nested quantifiers", "[domain-name:value MATCHES '^(([a-z.])+)+!$']", 1),
    ("alternatives alike", "[domain-name:value MATCHES '^(a|a|b|[a-z.]|[a-z.]+)+!$']", 1),
    ("back references", "[domain-name:value MATCHES '^(.+)+(\\\\1)+!$']", 1),
    ("counted", "[domain-name:value MATCHES '^((([a-z.]{0,99}){0,99}){0,99})!$']", None),
    ("half a million of text", "[domain-name:value = '" + "x" * 500000 + "']", None),
]


def test_a_long_chain_is_found_as_often_as_it_is_there(tmp_path):
    """Sixty of one kind, one behind the other: 400 lines hold it six times, whichever second they are of."""
    chain = " FOLLOWEDBY ".join(["[domain-name:value = 'evil.example']"] * 60)
    for step in (0, 1):
        lines = [json.loads(eve("evil.example")) for _ in range(400)]
        for number, line in enumerate(lines):
            line["timestamp"] = f"2026-01-01T00:{number * step // 60:02}:{number * step % 60:02}.000000+0000"
        log = tmp_path / f"{step}.json"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = subprocess.run([program(), "scan", "--pattern", chain, "-c", "--summary", log], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "6\n"), (step, done.stdout, done.stderr)
        assert ", 0 events evicted" in done.stderr or " 0 events evicted" in done.stderr, done.stderr


@pytest.mark.parametrize("pattern,code", [row[1:] for row in EXPLODING], ids=[row[0] for row in EXPLODING])
def test_patterns_made_to_explode(tmp_path, pattern, code):
    log, rules = tmp_path / "eve.json", tmp_path / "rules"
    log.write_text((eve("evil.example") + eve("a" * 60 + ".example")) * 200)
    rules.write_text(pattern + "\n" + EVIL + "\n")
    for threads in (1, 2):
        start = time.monotonic()
        done, out, err = bounded("-i", rules, "-c", "--threads", threads, log)
        # The rule beside it goes on, whatever becomes of this one.
        assert done == 0 and int(out) >= 200, err
        assert time.monotonic() - start < 60
    if code is not None and len(pattern) < 100000:
        assert bounded("-e", pattern, "-c", log)[0] == code
    assert largest_child_mb() < max(MEMORY_MB, 400)


def test_patterns_in_a_list_may_be_of_any_form(tmp_path):
    log, rules = tmp_path / "eve.json", tmp_path / "rules"
    log.write_text(eve("evil.example") + eve("www.evil.example"))
    rules.write_text("[domain-name:value LIKE '%.evil.example']\n[EXISTS domain-name:value]\n"
                     "([domain-name:value = 'evil.example'] FOLLOWEDBY [domain-name:value LIKE 'www%']) WITHIN 5 SECONDS\n"
                     "[domain-name:value MATCHES '^www']\n[2001:db8::1]\n")
    done = scan("-i", rules, "--json", log)
    assert done.returncode == 0, done.err
    assert sorted({json.loads(line)["indicator"] for line in done.out.splitlines()}) == ["list:1", "list:2", "list:3", "list:4"]
    assert "refused" not in done.err and "pattern" not in done.err
