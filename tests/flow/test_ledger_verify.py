"""What a node hands out of its ledger holds without it, and what was altered is named."""
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, Node, indicator, program

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


def test_a_folder_of_another_log_or_history_takes_no_export(node, out, tmp_path):
    other = Node(tmp_path / "other")
    other.init()
    done = other.run("ledger", "export", out / "log", check=False)
    assert done.returncode == 5 and "checkpoint: the head of" in done.err and "is not signed by keys/log.key" in done.err
    shutil.copytree(node.folder, tmp_path / "fork")
    node.user("dan", "a long password of dan")
    node.run("ledger", "export", out / "log")
    before = {path: path.read_bytes() for path in (out / "log").rglob("*") if path.is_file()}
    fork = Node(tmp_path / "fork")
    fork.user("eve", "a long password of eve")
    assert fork.run("ledger", "export", out / "log", check=False).returncode == 5
    assert before == {path: path.read_bytes() for path in (out / "log").rglob("*") if path.is_file()}


def test_a_damaged_page_is_an_answer_not_a_crash(node, out):
    index, page = node.folder / "index.mdb", 4096
    data, said = index.read_bytes(), []
    for at in range(2 * page, min(len(data), 40 * page), page):  # the pointers to what lies in it
        index.write_bytes(data[:at + 16] + b"\xff" * 64 + data[at + 80:])
        done = node.run("ledger", "verify", check=False, env={"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0"})
        assert done.returncode in (0, 1, 5) and (done.returncode == 0) == (done.err == ""), (at, done.returncode, done.err)
        said.append(done.err)
    index.write_bytes(data)
    assert any("a page is damaged" in text for text in said)
    assert node.run("ledger", "verify").returncode == 0


def test_the_own_folder_is_whole_until_an_object_is_altered(node, out):
    row = node.rows("ledger", "verify")[0]
    assert row["verified"] and row["additions"] == 5
    segment = next((node.folder / "segments").iterdir())
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b"malicious-activity", b"malicious-activitz", 1))
    assert node.run("ledger", "verify", check=False).returncode == 5
