"""entente-verify and a second verifier in Python: the same verdict on every file, whole or altered."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, program

sys.path.insert(0, str(ROOT / "tests" / "verify"))
import verify as second  # noqa: E402

BUILT = pathlib.Path(program()).parent
ALTERATIONS = 1500


def run(*arguments):
    return subprocess.run([BUILT / "entente-verify", *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([BUILT / "verify-samples", folder], check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def trust(samples):
    keys = [second.Key(line) for line in (samples / "keys").read_bytes().split(b"\n")[1:] if line]
    return keys, [second.Head((samples / "old").read_bytes(), keys, 0)]


def second_says(path, trust):
    keys, heads = trust
    try:
        (second.check_folder if path.is_dir() else second.check_file)(path, keys, 1, heads)
        return True
    except (second.Bad, UnicodeDecodeError, OSError):
        return False


def first_says(samples, paths):
    """The verdict on each: a file holds when every part of it does."""
    done = run("--keys", samples / "keys", "--quorum", 1, "--since", samples / "old", "--json", *paths)
    verdicts = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        verdicts[row["file"]] = verdicts.get(row["file"], True) and row["verified"]
        assert row["verified"] or row["reason"]
    assert done.returncode == (0 if all(verdicts.values()) else 5)
    return [verdicts[str(path)] for path in paths]


GOOD = ["head", "shorter", "proof", "growth", "bundle", "several", "log", "cut"]


@pytest.mark.parametrize("name", GOOD)
def test_what_a_ledger_hands_out_holds(samples, trust, name):
    assert first_says(samples, [samples / name]) == [True]
    assert second_says(samples / name, trust)


def test_it_says_in_sentences_what_is_proven(samples):
    done = run("--keys", samples / "keys", "--quorum", 1, "--since", samples / "old", samples / "proof", samples / "log")
    assert done.returncode == 0 and not done.stderr
    assert "entry 321 of the log harbour.example/ledger reads, byte for byte:" in done.stdout
    assert '{"at":"2026-11-23T10:05:21.000000Z","kind":"release","n":321}' in done.stdout
    assert "signed that it had 1000 entries with the root hash" in done.stdout
    assert "The witness lighthouse.example/witness cosigned this at 2026-" in done.stdout
    assert "all 1000 entries are there, none altered, added or moved" in done.stdout
    assert "It continues the head of 700 entries in" in done.stdout


def test_another_history_under_the_same_key_is_caught(samples, trust):
    """Signed with the very key, whole in itself: what was seen before tells, and so does a second copy."""
    other = samples / "other"
    assert first_says(samples, [other]) == [False]
    assert not second_says(other, trust)
    done = run("--keys", samples / "keys", samples / "log", other)
    assert done.returncode == 5
    assert "shows two histories: it signed two root hashes for 1000 entries" in done.stderr


def test_a_folder_from_before_is_caught_by_a_later_head(samples, trust):
    done = run("--keys", samples / "keys", "--since", samples / "head", samples / "cut")
    assert done.returncode == 5
    assert "cut or rolled back: 700 entries, and there was a head with 1000" in done.stderr
    keys, _ = trust
    later = [second.Head((samples / "head").read_bytes(), keys, 0)]
    assert not second_says(samples / "cut", (keys, later))


def test_an_entry_that_was_altered_is_named(samples, tmp_path):
    bundle = (samples / "bundle").read_bytes()
    (tmp_path / "bundle").write_bytes(bundle.replace(b'"n":450', b'"n":451'))
    done = run("--keys", samples / "keys", tmp_path / "bundle")
    assert done.returncode == 5 and "entry 450: is not the one that was bundled" in done.stderr
    shutil.copytree(samples / "log", tmp_path / "log")
    entries = tmp_path / "log" / "tile" / "entries" / "001"
    entries.write_bytes(entries.read_bytes().replace(b'"n":300', b'"n":301'))
    done = run("--keys", samples / "keys", "--json", tmp_path / "log")
    assert done.returncode == 5 and json.loads(done.stdout)["entry"] == 300


def test_without_the_old_head_growth_proves_nothing(samples):
    done = run("--keys", samples / "keys", samples / "growth")
    assert done.returncode == 5 and "--since" in done.stderr


def test_a_quorum_that_is_not_there_is_asked_for(samples):
    witness = (samples / "keys").read_text().splitlines()[2]
    log = (samples / "keys").read_text().splitlines()[1]
    assert run("--key", log, "--witness", witness, samples / "head").returncode == 0
    done = run("--key", log, "--witness", witness, "--quorum", 2, samples / "head")
    assert done.returncode == 5 and "cosigned by 1 of the witnesses, 2 are asked for" in done.stderr
    assert run("--key", log, samples / "head").returncode == 0


@pytest.mark.parametrize("arguments", [
    [], ["FILE"], ["--key", "x", "FILE"], ["--quorum", "-1", "FILE"], ["--keys", "/nonexistent", "FILE"], ["--nonsense"],
])
def test_misuse_is_exit_2_and_one_line(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("entente-verify: ") and not done.stdout


def test_a_file_that_is_not_there_is_exit_1(samples, tmp_path):
    done = run("--keys", samples / "keys", tmp_path / "none")
    assert done.returncode == 1 and done.stderr == f"entente-verify: {tmp_path / 'none'}: No such file or directory\n"


def altered(data, dice):
    at, other = dice.randrange(len(data)), dice.randrange(len(data))
    lines = data.split(b"\n")
    line, second_line = dice.randrange(len(lines)), dice.randrange(len(lines))
    kind = dice.randrange(9)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:]
    if kind == 1:
        return data[:at] + data[at + 1:]
    if kind == 2:
        return data[:at] + bytes([dice.choice(b" \n\t\r+=0A\x00\x7f\xa0\xe2")]) + data[at:]
    if kind == 3:
        return data[:min(at, other)] + data[max(at, other):]
    if kind == 4:
        return data[:at]
    if kind == 5:
        del lines[line]
    elif kind == 6:
        lines[line], lines[second_line] = lines[second_line], lines[line]
    elif kind == 7:
        lines.insert(line, lines[second_line])
    else:
        return data[:at] + data[other:]
    return b"\n".join(lines)


def test_both_verifiers_say_the_same_of_altered_files(samples, trust, tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print("SEED", seed)
    dice = random.Random(seed)
    paths = []
    for i in range(ALTERATIONS):
        path = tmp_path / f"{i:04d}"
        path.write_bytes(altered((samples / dice.choice(GOOD[:6])).read_bytes(), dice))
        paths.append(path)
    verdicts = [second_says(path, trust) for path in paths]
    for path, first, other in zip(paths, first_says(samples, paths), verdicts):
        assert first == other, f"SEED {seed}, {path.name}: ours {first}, the second {other}"
    assert 10 < sum(verdicts) < ALTERATIONS // 3


def test_both_verifiers_say_the_same_of_altered_folders(samples, trust, tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print("SEED", seed)
    dice = random.Random(seed)
    log = tmp_path / "log"
    shutil.copytree(samples / "log", log)
    files = [path for path in log.rglob("*") if path.is_file()]
    for i in range(60):
        path = dice.choice(files)
        data = path.read_bytes()
        path.write_bytes(altered(data, dice))
        assert first_says(samples, [log]) == [second_says(log, trust)], f"SEED {seed}, alteration {i} of {path}"
        path.write_bytes(data)
