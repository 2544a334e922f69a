"""What `entente events` finds in real sensors' logs, where they are at hand."""
import collections
import itertools
import json
import shutil
import subprocess

import pytest

from conftest import data_folder, program

LINES = 20000


def sample(name, path, folder):
    data = data_folder()
    if data is None or shutil.which("zstd") is None:
        pytest.skip("no real material here")
    out = folder / name
    unpack = subprocess.Popen(["zstd", "-dc", str(data / path)], stdout=subprocess.PIPE)
    with out.open("wb") as file:
        file.writelines(itertools.islice(unpack.stdout, 0, LINES))
    unpack.stdout.close()
    unpack.wait()
    return out


@pytest.mark.parametrize("name,path,address", [
    ("eve", "eve/eve_real.json.zst", "src_ip"),
    ("zeek-json", "zeek/zeek_real.json.zst", "id.orig_h"),
])
def test_no_real_line_is_refused(tmp_path, name, path, address):
    log = sample(name, path, tmp_path)
    done = subprocess.run([program(), "events", "--json", str(log)], capture_output=True, timeout=300)
    words = done.stderr.decode()
    assert done.returncode == 0, words
    assert f": {name}: {LINES} lines" in words and ", 0 lines that cannot be read" in words
    found = collections.Counter()
    for line, event in zip(log.open(encoding="utf-8"), map(json.loads, done.stdout.splitlines())):
        values = {one["value"] for one in event["observables"]}
        found.update(one["path"] for one in event["observables"])
        source = json.loads(line).get(address)
        assert source is None or ":" in source or source in values, line
    assert found["network-traffic:src_ref.value"] > LINES / 3
    assert found["domain-name:value"] > 0


def test_a_format_or_map_that_is_none_is_said(tmp_path):
    bad = tmp_path / "bad.map"
    bad.write_text("a adress\n")
    for options, code, words in (
            (["--format", "xml"], 2, '--format = "xml": takes eve, '),
            (["--map", str(bad)], 1, 'line 1: no kind "adress"')):
        done = subprocess.run([program(), "events", *options, "-"], input=b"", capture_output=True,
                              timeout=60)
        assert done.returncode == code and words in done.stderr.decode()
