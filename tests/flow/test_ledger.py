"""The ledger from outside: heads, proofs, tiles, witnesses; and what is told when someone alters it."""
import base64
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from conftest import Node, indicator, program

PASSWORD = "correct horse battery"


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def join(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves):
    """RFC 6962, 2.1, level by level."""
    row = list(leaves)
    while len(row) > 1:
        row = [join(*row[i:i + 2]) if i + 1 < len(row) else row[i] for i in range(0, len(row), 2)]
    return row[0] if row else hashlib.sha256(b"").digest()


def checkpoint(text):
    origin, size, hash64 = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(hash64)


def entries(bundle):
    """A C2SP entry bundle taken apart."""
    out = []
    while bundle:
        count = int.from_bytes(bundle[:2], "big")
        out.append(bundle[2:2 + count])
        bundle = bundle[2 + count:]
    return out


def until(what, seconds=20):
    for _ in range(seconds * 20):
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def settings(node, **values):
    path = node.folder / "entente.yaml"
    path.write_text(path.read_text() + "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items()))


def refused(done, code, words):
    assert done.returncode == code and words in done.err, (done.returncode, done.out, done.err)
    assert len(done.err.splitlines()) == 1 and done.err.startswith("entente: "), done.err


def test_a_head_covers_the_log_and_an_export_is_the_same_tree(node, tmp_path):
    node.take([indicator(1)])
    out = tmp_path / "site"
    for number in range(3):
        node.user(f"user{number}", PASSWORD)
        node.run("ledger", "export", out)
        origin, size, hash_ = checkpoint((out / "checkpoint").read_text())
        bundle = (out / f"tile/entries/000.p/{size}").read_bytes()
        hashes = (out / f"tile/0/000.p/{size}").read_bytes()
        assert [leaf(entry) for entry in entries(bundle)] == [hashes[i:i + 32] for i in range(0, len(hashes), 32)]
        assert root([leaf(entry) for entry in entries(bundle)]) == hash_
    row = node.rows("ledger", "head")[0]
    assert (row["origin"], row["size"], row["root"]) == (origin, size, hash_.hex())
    assert (out / "log.vkey").read_text().strip() == row["vkey"]


def test_a_proof_is_of_its_entry(node, tmp_path):
    node.user("sato", PASSWORD)
    log = node.rows("ledger", "log")
    for row in log:
        path = tmp_path / "one.tlog-proof"
        node.run("ledger", "prove", row["entry"], "--output", path)
        lines = path.read_text().split("\n")
        assert lines[0] == "c2sp.org/tlog-proof@v1"
        entry = base64.b64decode(lines[1].removeprefix("extra "))
        assert json.loads(entry) == row["data"] and leaf(entry).hex() == row["leaf"]
        assert lines[2] == f"index {row['entry']}"
    refused(node.run("ledger", "prove", 999, check=False), 3, "there is no entry 999")
    assert node.run("ledger", "prove", "x", check=False).returncode == 2


def test_consistency_with_files_and_sizes(node, tmp_path):
    before = tmp_path / "before"
    before.write_text(node.run("ledger", "head").out)
    node.user("sato", PASSWORD)
    node.run("ledger", "check-consistency", before, checkpoint(node.run("ledger", "head").out)[1],
             "--output", tmp_path / "proof")
    assert (tmp_path / "proof").read_text().startswith("old ")
    refused(node.run("ledger", "check-consistency", 4, 2, check=False), 1, "name the older one first")
    refused(node.run("ledger", "check-consistency", 1, 999, check=False), 3, "not 999")
    before.write_text(before.read_text().replace("\n3\n", "\n2\n"))
    assert node.run("ledger", "check-consistency", before, 4, check=False).returncode in (1, 5)


def test_a_bundle_holds_what_was_asked_for(node, tmp_path):
    for number in range(20):
        node.run("collection", "add", "--title", f"c{number}")
    node.user("sato", PASSWORD)
    text = node.run("ledger", "bundle", "--kind", "account.add", "--kind", "settings").out
    head, note = text.split("\n\n", 1)
    _, size, hash_ = checkpoint(note)
    stack, at, kinds = [], 0, []
    for line in head.split("\n")[1:]:
        word, rest = line.split(" ", 1)
        if word == "filter":
            continue
        number, value = rest.split(" ", 1)
        if word == "entry":
            hash64, value = value.split(" ", 1)
            assert int(number) == at and base64.b64decode(hash64) == leaf(value.encode())
            kinds.append(json.loads(value)["kind"])
            level, node_hash = 0, leaf(value.encode())
        else:
            level, node_hash = int(number), base64.b64decode(value)
            assert at % (1 << level) == 0
        at += 1 << level
        while stack and stack[-1][0] == level:
            node_hash, level = join(stack.pop()[1], node_hash), level + 1
        stack.append((level, node_hash))
    while len(stack) > 1:
        right, left = stack.pop(), stack.pop()
        stack.append((99, join(left[1], right[1])))
    assert at == size and stack[0][1] == hash_ and kinds == ["settings", "account.add"]


def test_the_offline_verifier_believes_all_of_it(node, tmp_path):
    verifier = pathlib.Path(program()).with_name("entente-verify")
    if not verifier.exists():
        pytest.skip("no entente-verify beside entente")
    (tmp_path / "old").write_text(node.run("ledger", "head").out)
    node.user("sato", PASSWORD)
    (tmp_path / "new").write_text(node.run("ledger", "head").out)
    node.run("ledger", "prove", 1, "--output", tmp_path / "one.tlog-proof")
    node.run("ledger", "bundle", "--kind", "collection", "--output", tmp_path / "some.entente-bundle")
    node.run("ledger", "check-consistency", tmp_path / "old", tmp_path / "new", "--output", tmp_path / "growth")
    node.run("ledger", "export", tmp_path / "site")
    key = node.rows("ledger", "keys")[0]["vkey"]
    for name in ("one.tlog-proof", "some.entente-bundle", "growth", "site"):
        done = subprocess.run([verifier, "--key", key, "--since", tmp_path / "old", tmp_path / name],
                              capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    (tmp_path / "keys").write_text(node.run("ledger", "keys").out)  # what is printed is a key file
    done = subprocess.run([verifier, "--keys", tmp_path / "keys", tmp_path / "one.tlog-proof"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_server_signs_heads_and_serves_tiles_to_those_who_may(node):
    node.user("boss", PASSWORD, role="admin")
    node.user("reader", PASSWORD, role="reader")
    node.serve()
    boss, reader = node.token("boss"), node.token("reader")
    size = len(node.rows("ledger", "log"))

    def head():
        got = node.ask("/ledger/checkpoint", token=reader)
        return got.status == 200 and checkpoint(got.body.decode())[1] >= size and got
    got = until(head)
    assert got.headers["Content-Type"] == "text/plain; charset=utf-8"
    _, size, hash_ = checkpoint(got.body.decode())
    tile = node.ask(f"/ledger/tile/0/000.p/{size}", token=reader)
    assert tile.status == 200 and "immutable" in tile.headers["Cache-Control"]
    assert root([tile.body[i:i + 32] for i in range(0, len(tile.body), 32)]) == hash_
    bundle = node.ask(f"/ledger/tile/entries/000.p/{size}", token=boss)
    assert root([leaf(entry) for entry in entries(bundle.body)]) == hash_
    for path, who, status in (("/ledger/checkpoint", None, 401), (f"/ledger/tile/entries/000.p/{size}", reader, 403),
                              ("/ledger/tile/0/000.p/256", reader, 404), ("/ledger/tile/0/000", reader, 404),
                              ("/ledger/tile/0/000.p/255", reader, 404), ("/ledger/nothing", reader, 404)):
        assert node.ask(path, token=who).status == status, path
    assert node.ask("/ledger/checkpoint", method="POST", body=b"x", token=boss).status == 405
    settings(node, ledger_read="anyone")
    node.process.send_signal(signal.SIGHUP)
    until(lambda: node.ask("/ledger/checkpoint").status == 200)
    assert node.rows("audit", "--kind", "settings")[-1]["data"]["settings"]["ledger_read"] == "anyone"


@pytest.fixture
def pair(tmp_path):
    """A log, and a node that witnesses it."""
    log, witness = Node(tmp_path / "log"), Node(tmp_path / "witness")
    for one in (log, witness):
        one.init()
    witness.run("ledger", "witness", "add", log.rows("ledger", "keys")[0]["vkey"])
    witness.serve("--plain-http")
    settings(log, ledger_witnesses=f"{witness.rows('ledger', 'keys')[1]['vkey']} {witness.url}/witness",
             ledger_cosignatures_min=1)
    yield log, witness
    for one in (log, witness):
        one.stop()


def test_a_witness_cosigns_what_goes_on_from_what_it_saw(pair):
    log, witness = pair
    for number in range(3):
        log.run("collection", "add", "--title", f"c{number}")
        row = log.rows("ledger", "head", "--cosign")[0]
        assert (row["cosigned"], row["needed"], row["witnessed"]) == (1, 1, True)
        assert witness.rows("ledger", "witness", "list")[0]["size"] == row["size"]
    assert row["checkpoint"].count("\n— ") == 2


def ask(witness, body):
    return witness.ask("/witness/add-checkpoint", method="POST", body=body.encode(), content_type="text/plain")


def test_a_witness_refuses_as_the_specification_says(pair, tmp_path):
    log, witness = pair
    small = log.rows("ledger", "head")[0]
    log.user("sato", PASSWORD)
    log.user("mori", PASSWORD)
    large = log.rows("ledger", "head")[0]
    answer = ask(witness, "old 5\n\n" + small["checkpoint"])
    assert answer.status == 400
    answer = ask(witness, "old 0\n\n" + small["checkpoint"])
    assert answer.status == 200 and answer.body.decode().startswith("— ")
    answer = ask(witness, "old 0\n\n" + large["checkpoint"])
    assert answer.status == 409 and answer.headers["Content-Type"] == "text/x.tlog.size"
    assert answer.body == f"{small['size']}\n".encode()
    other = Node(tmp_path / "other")
    other.init()
    assert ask(witness, "old 0\n\n" + other.rows("ledger", "head")[0]["checkpoint"]).status == 404
    forged = large["checkpoint"].replace(f"\n{large['size']}\n", f"\n{large['size'] + 1}\n")
    assert ask(witness, f"old {small['size']}\n\n" + forged).status == 403
    for body in ("", "old 1", "old 01\n\n" + small["checkpoint"], "old 0\nx\n\n" + small["checkpoint"]):
        assert ask(witness, body).status == 400, body
    assert witness.run("ledger", "witness", "evidence").out == ""
    assert ask(witness, f"old {small['size']}\n\n" + large["checkpoint"]).status == 422


def test_two_histories_are_caught_and_kept(pair, tmp_path):
    log, witness = pair
    shutil.copytree(log.folder, tmp_path / "fork")
    fork = Node(tmp_path / "fork")
    log.run("collection", "add", "--title", "one story")
    fork.run("collection", "add", "--title", "another")
    assert log.rows("ledger", "head", "--cosign")[0]["cosigned"] == 1
    refused(fork.run("ledger", "head", "--cosign", check=False), 5, "another history of this log")
    kept = witness.run("ledger", "witness", "evidence", "--json", check=False)
    assert kept.returncode == 5
    row = json.loads(kept.out)
    assert checkpoint(row["first"])[1] == checkpoint(row["second"])[1]
    assert checkpoint(row["first"])[2] != checkpoint(row["second"])[2]
    assert witness.rows("audit", "--kind", "witness.split")[0]["data"]["origin"] == checkpoint(row["first"])[0]


def test_a_folder_of_yesterday_is_told_by_the_witness(pair, tmp_path):
    log, _ = pair
    shutil.copytree(log.folder, tmp_path / "yesterday")
    for number in range(4):
        log.run("collection", "add", "--title", f"c{number}")
    log.rows("ledger", "head", "--cosign")
    shutil.rmtree(log.folder)
    shutil.copytree(tmp_path / "yesterday", log.folder)
    log.user("sato", PASSWORD)
    refused(log.run("ledger", "head", "--cosign", check=False), 5, "an older copy was put back")


def test_a_database_of_yesterday_is_told_at_the_start(node, tmp_path):
    node.run("ledger", "head")
    shutil.copy(node.folder / "index.mdb", tmp_path / "yesterday")
    node.user("sato", PASSWORD)
    size = node.rows("ledger", "head")[0]["size"]
    shutil.copy(tmp_path / "yesterday", node.folder / "index.mdb")
    refused(node.run("status", check=False), 5, f"a head of {size} was signed: entry {size - 1}")
    assert node.run("serve", check=False).returncode == 5


def test_a_rebuild_reaches_the_same_root(node):
    node.take([indicator(number) for number in range(5)])
    node.user("sato", PASSWORD)
    before = node.rows("ledger", "head")[0]
    assert node.rows("rebuild")[0]["same"] is True
    assert node.rows("ledger", "head")[0] == before


def test_a_kill_between_commit_and_head_loses_nothing(node):
    node.serve()
    for number in range(3):
        node.run("collection", "add", "--title", f"c{number}")
        node.stop(signal.SIGKILL)
        row = node.rows("ledger", "head")[0]
        assert row["size"] == len(node.rows("ledger", "log"))
        node.serve()
    assert node.stop() == 0


def test_the_story_of_an_object_is_told_in_order(node):
    node.take([indicator(1)])
    node.take([indicator(2)])
    node.take([indicator(1, modified="2026-02-01T00:00:00.000Z")])
    node.run("remove", indicator(1)["id"])
    rows = node.rows("audit", "--object", indicator(1)["id"])
    assert [row["kind"] for row in rows] == ["objects", "objects", "remove"]
    assert [row["entry"] for row in rows] == sorted(row["entry"] for row in rows)
    assert len(node.rows("audit", "--object", indicator(2)["id"])) == 1
    csv = node.run("audit", "--csv", "--kind", "remove").out.splitlines()
    assert csv[0] == '"entry","at","kind","actor","text"' and len(csv) == 2
    assert node.rows("audit", "--from", rows[2]["at"], "--to", "2999-01-01")[0]["entry"] == rows[2]["entry"]
    assert [row["entry"] for row in node.rows("ledger", "log", "--from", 1, "--to", 2)] == [1, 2]
    assert node.run("audit", "--from", "yesterday", check=False).returncode == 2
    assert all(row["actor"] == "cli" for row in node.rows("audit", "--actor", "cli"))


def test_what_is_read_over_taxii_is_in_the_log_in_batches(node):
    collection = node.collection("shared")
    other = node.collection("other")
    node.take([indicator(number) for number in range(7)], "--collection", collection)
    for name in ("ann", "ben"):
        node.user(name, PASSWORD, role="reader")
        node.run("collection", "grant", name, "--read", "--collection", collection)
    settings(node, ledger_reads_s=1)
    node.serve()
    ann, ben = node.token("ann"), node.token("ben")
    path = f"/api/collections/{collection}/objects/"
    for query in ("?limit=3", "?limit=2", f"?match[id]={indicator(5)['id']}"):
        assert node.ask(path + query, token=ann).status == 200
    assert node.ask(path, token=ben).status == 200
    assert node.ask(f"/api/collections/{other}/objects/", token=ben).status in (403, 404)
    assert node.ask(path + "?match[type]=malware", token=ben).status == 200  # nothing in it
    until(lambda: len(node.rows("audit", "--kind", "read")) == 2)
    rows = {row["actor"]: row["data"] for row in node.rows("audit", "--kind", "read")}
    assert (rows["ann"]["requests"], rows["ann"]["objects"], rows["ann"]["runs"]) == (3, 6, [[0, 2], [5, 5]])
    assert (rows["ben"]["requests"], rows["ben"]["objects"], rows["ben"]["runs"]) == (1, 7, [[0, 6]])
    found = node.rows("audit", "--object", indicator(4)["id"], "--kind", "read")
    assert [row["actor"] for row in found] == ["ben"]
    path_of = node.folder / "entente.yaml"
    path_of.write_text(path_of.read_text().replace("ledger_reads_s: 1\n", "ledger_reads_s: 86400\n"))
    node.process.send_signal(signal.SIGHUP)
    time.sleep(1.5)
    assert node.ask(path + "?limit=1", token=ann).status == 200
    node.stop()  # what was not due is entered at the stop
    assert len(node.rows("audit", "--kind", "read", "--actor", "ann")) == 2
    assert node.rows("rebuild")[0]["same"] is True and node.run("ledger", "verify").returncode == 0


def test_what_leaves_is_in_the_log_first(node, tmp_path):
    node.take([indicator(number) for number in range(3)])
    node.run("export", "--output", tmp_path / "out.json", "--type", "indicator")
    node.run("export", "--type", "malware")
    rows = node.rows("audit", "--kind", "export")
    assert len(rows) == 1 and rows[0]["data"]["count"] == 3 and rows[0]["data"]["query"] == "--type=indicator"
    taken = node.rows("audit", "--kind", "objects")[0]["data"]
    assert rows[0]["data"]["root"] == taken["root"]
    assert node.rows("rebuild")[0]["same"] is True
