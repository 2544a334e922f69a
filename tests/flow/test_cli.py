"""The program as people and scripts call it."""
import gzip
import json
import os
import subprocess

import pytest
from conftest import bundle, indicator, program


def call(*arguments, **more):
    return subprocess.run([program(), *arguments], capture_output=True, text=True, **more)


def test_every_command_explains_itself():
    listing = call("help").stdout
    commands = [line[2:28].strip() for line in listing.splitlines() if line.startswith("  ")]
    assert len(commands) > 20
    for command in commands:
        done = call(*command.split(), "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: entente {command}"), command


@pytest.mark.parametrize("arguments, code, words", [
    ([], 2, "usage: entente COMMAND"),
    (["frobnicate"], 2, 'no command "frobnicate"'),
    (["import"], 2, "name a file"),
    (["import", "x", "--frob"], 2, 'no option "--frob"'),
    (["import", "x", "--check"], 2, "--check wants MODE"),
    (["search", "x", "--limit", "0"], 2, "takes 1 to"),
    (["search", "x", "--limit=1e9"], 2, "takes 1 to"),
    (["version", "--json=1"], 2, "--json takes no value"),
    (["improt", "x"], 2, 'no command "improt"'),
    (["user", "frob"], 2, 'no command "user frob"'),
    (["user"], 2, "usage: entente user COMMAND"),
])
def test_misuse_is_said_in_a_line(arguments, code, words, tmp_path):
    done = call(*arguments, env={**os.environ, "ENTENTE_FOLDER": str(tmp_path)})
    assert done.returncode == code and words in done.stderr and done.stdout == ""


def test_a_family_of_commands_lists_its_own():
    for arguments in (["user", "--help"], ["help", "user"]):
        done = call(*arguments)
        assert done.returncode == 0 and done.stderr == ""
        assert "  user add " in done.stdout and "token add" not in done.stdout


def test_a_folder_without_a_node_is_not_found(tmp_path):
    done = call("status", "--folder", str(tmp_path / "nothing"))
    assert done.returncode == 3 and "entente init" in done.stderr and done.stderr.count("\n") == 1


def test_init_twice_is_refused_and_harms_nothing(node):
    node.take([indicator(1)])
    done = node.run("init", check=False)
    assert done.returncode == 1 and done.err.count("\n") == 1
    assert node.rows("status")[0]["objects"] == 1


def test_import_reports_what_became_of_each_object(node):
    good, newer = indicator(1), indicator(1, modified="2026-02-01T00:00:00.000Z")
    other = indicator(1, name="another name")
    bad = {"type": "indicator", "id": "indicator--nonsense"}
    rows = node.rows("import", "-", stdin=json.dumps(bundle([good, good, other, newer, bad])).encode())
    assert [row["outcome"] for row in rows] == ["taken", "held", "conflict", "replaced", "refused", "summary"]
    assert rows[3]["version"] == "2026-02-01T00:00:00.000Z"
    assert "id" in rows[4]["reason"]
    assert rows[5] == {**rows[5], "taken": 1, "held": 1, "conflicts": 1, "replaced": 1, "refused": 1}
    assert node.rows("show", good["id"])[0]["object"]["modified"] == "2026-02-01T00:00:00.000Z"


def test_one_bad_object_among_many_good_ones(node):
    objects = [indicator(n) for n in range(10000)]
    objects[7777] = {**objects[7777], "valid_from": "yesterday"}
    done = node.take(objects)
    assert "9999 objects" in done.out and "1 refused" in done.out
    lines = [line for line in done.err.splitlines() if "refused" in line]
    assert len(lines) == 1 and "object 7777" in lines[0] and "valid_from" in lines[0]


def test_only_bad_objects_is_a_failure(node):
    done = node.take([{"type": "indicator"}], check=False)
    assert done.returncode == 1 and "refused" in done.err


@pytest.mark.parametrize("text, words", [
    (b"", "empty"),
    (b'{"type":"bundle","objects":[{"type":"indicator"', "ends"),
    (b'{"type":"bundle","objects":[]} trailing', ""),
    (b"[" * 100000, "deep"),
    (b'{"type":"bundle","objects":[{"a":"\xff"}]}', ""),
    (b"not json", 'line 1: "not json": no address'),
    (gzip.compress(b'{"type":"bundle","objects":[]}' * 100)[:-9], "ends early"),
])
def test_broken_input_takes_nothing_and_says_where(node, text, words):
    node.take([indicator(1)])
    done = node.run("import", "-", stdin=text, check=False)
    assert done.returncode == 1, done.out + done.err
    assert words in done.err and len(done.err.splitlines()) == 1 and len(done.err) < 1200
    assert node.rows("status")[0]["objects"] == 1


def test_import_of_a_folder_with_packed_files(node, tmp_path):
    feed = tmp_path / "feed"
    (feed / "deep").mkdir(parents=True)
    (feed / "a.json").write_text(json.dumps(bundle([indicator(1)])))
    (feed / "deep" / "b.json.gz").write_bytes(gzip.compress(json.dumps(bundle([indicator(2)])).encode()))
    (feed / "c.ndjson").write_text("\n".join(json.dumps(indicator(n)) for n in (3, 4)))
    (feed / "notes.txt").write_text("not intelligence")
    subprocess.run(["zstd", "-q", "-o", str(feed / "d.json.zst")], check=True,
                   input=json.dumps([indicator(5)]).encode())
    assert "took 5 objects" in node.run("import", feed).out
    done = node.run("import", tmp_path / "nothing.json", check=False)
    assert done.returncode == 3 and "nothing.json" in done.err


def test_dry_run_takes_nothing(node):
    assert "would take 2 objects" in node.take([indicator(1), indicator(2)], "--dry-run").out
    assert node.rows("status")[0]["objects"] == 0


def test_export_gives_back_what_came_in(node, tmp_path):
    custom = {**indicator(3), "x_custom": {"deep": [1, 2.5, "é", "\u0000"]}, "confidence": 80}
    text = json.dumps(bundle([indicator(1), indicator(2), custom])).replace("[1, 2.5,", "[1, 2.50,  ")
    node.run("import", "-", stdin=text.encode())
    path = tmp_path / "out.json"
    node.run("export", "--output", path)
    out = json.loads(path.read_text())
    assert out["type"] == "bundle" and out["objects"] == [indicator(1), indicator(2), custom]
    assert '2.50' in path.read_text()
    again = node.run("export").out
    assert json.loads(again) == out
    done = node.run("export", "--output", tmp_path / "no" / "where.json", check=False)
    assert done.returncode == 3 and "where.json" in done.err


def test_search_finds_by_word_value_and_reference(node):
    actor = {"type": "threat-actor", "spec_version": "2.1", "id": "threat-actor--0b3a6f7e-8f2b-4c5e-9a55-3c6f0f1d2e3f",
             "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
             "name": "Silent Heron", "threat_actor_types": ["nation-state"], "labels": ["espionage"]}
    tie = {"type": "relationship", "spec_version": "2.1", "id": "relationship--1b3a6f7e-8f2b-4c5e-9a55-3c6f0f1d2e3f",
           "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
           "relationship_type": "indicates", "source_ref": indicator(7)["id"], "target_ref": actor["id"]}
    node.take([indicator(7), actor, tie])
    for arguments, expected in [
        (["silent"], actor), (["heron", "silent"], actor), (["sil*"], actor),
        (["silent heron"], actor), (["  heron  silent "], actor),
        (["198.51.0.7"], indicator(7)), (["--label", "espionage"], actor),
        (["--type", "relationship"], tie), (["--refs-to", actor["id"]], tie),
        (["--refs-from", tie["id"], "--type", "threat-actor"], actor), ([actor["id"]], actor),
    ]:
        found = node.rows("search", *arguments)
        assert [row["id"] for row in found] == [expected["id"]], arguments
    for nothing in ("nowhere", "silent nowhere", "", "  "):
        done = node.run("search", nothing, check=False)
        assert done.returncode == 3 and done.out == "", nothing


def test_hostile_text_never_reaches_the_terminal(node):
    node.take([indicator(1, name="\x1b[31mred\x07 \u202e reversed")])
    for arguments in (["search", "reversed"], ["show", indicator(1)["id"]]):
        out = node.run(*arguments).out
        assert "\x1b" not in out and "\x07" not in out


def test_rebuild_reaches_the_same_state(node):
    node.take([indicator(n) for n in range(500)])
    node.take([indicator(n, modified="2026-03-01T00:00:00.000Z") for n in range(0, 500, 3)])
    node.run("remove", indicator(9)["id"])
    node.user("alice", "correct horse battery")
    node.run("collection", "grant", "alice", "--read")
    before = node.rows("status", "--check")[0]
    again = node.rows("rebuild")[0]
    assert again["same"] is True and again["state_sha256"] == before["state_sha256"]
    assert node.rows("status", "--check")[0]["state_sha256"] == before["state_sha256"]
    assert before["broken"] == 0


def test_settings_are_checked_with_line_and_column(node):
    path = node.folder / "entente.yaml"
    path.write_text("title: good\nhttp_threads: 0\n")
    done = node.run("config", "check", check=False)
    assert done.returncode == 1 and "entente.yaml:2" in done.err and "1 to 256" in done.err
    path.write_text("tilte: good\n")
    done = node.run("config", "check", check=False)
    assert done.returncode == 1 and "entente.yaml:1" in done.err and "tilte" in done.err
    path.write_text("title: good\n")
    node.run("config", "check")
    assert {"name": "title", "value": "good"}.items() <= next(
        row for row in node.rows("config", "list") if row["name"] == "title").items()


def test_completions_and_man_pages_are_well_formed(tmp_path):
    subprocess.run(["bash", "-n"], input=call("completion", "bash").stdout, text=True, check=True)
    for page in call("man").stdout.split():
        text = call("man", page).stdout
        (tmp_path / "page.1").write_text(text)
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "error", str(tmp_path / "page.1")],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_secrets_are_shown_once_and_kept_nowhere(node):
    node.user("alice", "correct horse battery")
    token = node.token("alice")
    assert token.startswith("ent_")
    for path in node.folder.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert token[-43:].encode() not in held and b"correct horse battery" not in held, path


def test_rights_are_given_however_the_collection_is_named(node):
    first = "7a5e2c0e-3b1f-4d7a-9a55-0f3c6b1d2e4f"
    assert node.collection("one", id=first, alias="one") == first
    second = node.collection("two")
    for name in ("alice", "bob", "carol", "dave"):
        node.user(name, "correct horse battery")
    node.run("collection", "grant", first, "alice", "--read")
    node.run("collection", "grant", "alice", "one", "--write")
    node.run("collection", "grant", "bob", "--collection", second, "--write")
    node.run("collection", "grant", "carol", "--id", first, "--read", "--write")
    node.run("collection", "revoke", "one", "carol", "--write")
    rights = {row["id"]: row["rights"] for row in node.rows("collection", "list")}
    assert rights[first] == {"alice": ["read", "write"], "carol": ["read"]}
    assert rights[second] == {"bob": ["write"]}
    done = node.run("collection", "grant", "dave", "--read", check=False)
    assert done.returncode == 2 and "which collection" in done.err
    done = node.run("collection", "grant", "one", "nobody", "--read", check=False)
    assert done.returncode == 3 and "nobody" in done.err
    done = node.run("collection", "add", "--id", first, "--title", "again", check=False)
    assert done.returncode == 1 and first in done.err
    done = node.run("collection", "add", "--id", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "--title", "v1", check=False)
    assert done.returncode == 1 and "version 4" in done.err
