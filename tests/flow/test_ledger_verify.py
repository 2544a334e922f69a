"""What a node hands out of its ledger holds without it, and what was altered is named."""
import pathlib
import subprocess
import sys

import pytest

from conftest import ROOT, indicator, program

sys.path.insert(0, str(ROOT / "tests" / "verify"))
import verify as second  # noqa: E402


@pytest.fixture
def out(node, tmp_path):
    node.take([indicator(number) for number in range(5)])
    for name in ("ann", "ben", "cho"):
        node.user(name, f"a long password of {name}")
    (tmp_path / "head").write_text(node.run("ledger", "head").out)
    node.run("ledger", "prove", 2, "-o", tmp_path / "proof")
    node.run("ledger", "bundle", "-o", tmp_path / "bundle")
    node.run("ledger", "export", tmp_path / "log")
    return tmp_path


def test_both_verifiers_believe_what_a_node_hands_out(node, out):
    names = [out / name for name in ("head", "proof", "bundle", "log")]
    alone = pathlib.Path(program()).parent / "entente-verify"
    keys = out / "log" / "log.vkey"
    assert subprocess.run([alone, "--keys", keys, *names], capture_output=True).returncode == 0
    assert node.run("ledger", "verify", *names).returncode == 0
    trust = [second.Key(keys.read_bytes().strip())]
    for name in names:
        (second.check_folder if name.is_dir() else second.check_file)(name, trust, 0, [])


def test_an_altered_entry_is_named_with_exit_5(node, out):
    text = (out / "bundle").read_bytes()
    assert b'"ben"' in text
    (out / "bundle").write_bytes(text.replace(b'"ben"', b'"bob"', 1))
    done = node.run("ledger", "verify", out / "bundle", check=False)
    assert done.returncode == 5 and "entry " in done.err and "is not the one that was bundled" in done.err


def test_the_own_folder_is_whole_until_an_object_is_altered(node, out):
    row = node.rows("ledger", "verify", "--tables")[0]
    assert row["verified"] and row["additions"] == 5
    segment = next((node.folder / "segments").iterdir())
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b"malicious-activity", b"malicious-activitz", 1))
    assert node.run("ledger", "verify", check=False).returncode == 5
