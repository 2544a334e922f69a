"""The exchange: two real nodes, each with its own key, and what goes wrong between them."""
import base64
import hashlib
import http.client
import http.server
import json
import socket
import ssl
import threading
import time

import pytest
from conftest import Node, indicator
from test_agreement import GREEN, RED, agree

WAIT_S = 30


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Partner(Node):
    def start(self):
        return self.serve()


def make(folder):
    node = Partner(folder)
    node.init()
    node.port = free_port()
    with open(node.folder / "entente.yaml", "a") as settings:
        settings.write(f'\nexchange_listen: "127.0.0.1:{node.port}"\n'
                       f'exchange_url: "https://127.0.0.1:{node.port}"\n')
    node.card = json.loads(node.run("partner", "card").out)
    node.id = node.card["id"]
    return node


def introduce(one, other, tmp_path):
    for node, its in ((one, other), (other, one)):
        path = tmp_path / f"{its.folder.name}.card"
        path.write_text(json.dumps(its.card))
        node.run("partner", "add", path)
        node.run("partner", "confirm", its.id)


@pytest.fixture
def nodes(tmp_path):
    made = [make(tmp_path / name) for name in ("tokyo", "telaviv")]
    yield made
    for node in made:
        node.stop()


@pytest.fixture
def pair(nodes, tmp_path):
    """Tokyo and Tel Aviv, introduced, with a bilateral agreement in force."""
    tokyo, telaviv = nodes
    introduce(tokyo, telaviv, tmp_path)
    tokyo.agreement = telaviv.agreement = agree(nodes, tmp_path, telaviv.id)
    return tokyo, telaviv


def until(what, wait_s=WAIT_S):
    """Ask until it is so; how long it takes is not tested."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def status(node, partner):
    row, = node.rows("sync", "status", partner.id)
    return row


def holds(node, ident):
    return node.run("show", ident, check=False).returncode == 0


def test_what_is_released_arrives_once_with_its_way_and_a_receipt(pair):
    tokyo, telaviv = pair
    ids = [indicator(i)["id"] for i in range(4)]
    telaviv.take([indicator(0, object_marking_refs=[GREEN]), indicator(1, object_marking_refs=[GREEN]),
                  indicator(2, object_marking_refs=[RED]), indicator(3, object_marking_refs=[GREEN])])
    telaviv.run("release", ids[0], ids[1], ids[2])
    telaviv.start()
    row, = tokyo.rows("sync", "now")
    assert (row["objects"], row["held"], row["refused"], row["batches"]) == (2, 0, 0, 1)
    assert [holds(tokyo, one) for one in ids] == [True, True, False, False]
    row, = tokyo.rows("sync", "now", telaviv.id)
    assert (row["objects"], row["batches"]) == (0, 0)
    here, there = status(tokyo, telaviv), status(telaviv, tokyo)
    assert here["in"]["objects"] == 2 and there["out"]["objects"] == 2 and there["receipts"]["objects"] == 2
    assert there["receipts"]["next"] == here["in"]["next"] and there["waiting"] == 0
    entry, = [row["data"] for row in tokyo.rows("audit", "--kind", "objects") if "partner" in row["data"]["origin"]]
    way = json.loads(entry["origin"].removeprefix("partner "))
    assert way["path"] == [{"agreement": tokyo.agreement, "from": telaviv.id, "to": tokyo.id}]
    assert way["hash"].startswith("sha256:") and any(o.startswith("retention=") for o in way["obligations"])
    for node in pair:
        node.run("rebuild")
        assert status(node, tokyo if node is telaviv else telaviv)["confirmed"]
    assert status(tokyo, telaviv)["in"] == here["in"]


def test_serving_nodes_exchange_by_themselves_and_a_cut_line_goes_on(pair):
    tokyo, telaviv = pair
    telaviv.take([indicator(i, object_marking_refs=[GREEN]) for i in range(3)])
    tokyo.start()
    telaviv.start()
    telaviv.run("release", indicator(0)["id"])
    until(lambda: holds(tokyo, indicator(0)["id"]))
    telaviv.stop()
    telaviv.run("release", indicator(1)["id"])
    telaviv.start()
    until(lambda: holds(tokyo, indicator(1)["id"]))
    tokyo.stop(9)
    telaviv.run("release", indicator(2)["id"])
    tokyo.start()
    until(lambda: holds(tokyo, indicator(2)["id"]))
    until(lambda: status(telaviv, tokyo)["receipts"]["objects"] == 3)
    assert status(tokyo, telaviv)["in"]["objects"] == 3


def test_another_key_is_refused_and_reported(pair, tmp_path):
    tokyo, telaviv = pair
    stranger = make(tmp_path / "stranger")
    telaviv.take([indicator(0, object_marking_refs=[GREEN])])
    telaviv.run("release", indicator(0)["id"])
    # Who asks is no partner.
    (tmp_path / "telaviv.card").write_text(json.dumps(telaviv.card))
    stranger.run("partner", "add", tmp_path / "telaviv.card")
    stranger.run("partner", "confirm", telaviv.id)
    telaviv.start()
    done = stranger.run("sync", "now", check=False)
    assert done.returncode == 4 and "status 403" in done.err
    assert not holds(stranger, indicator(0)["id"])
    telaviv.stop()
    assert "sync.key_refused" in (telaviv.folder / "serve.log").read_text()
    # Who answers is not the partner.
    stranger.serve("--listen-exchange", f"127.0.0.1:{telaviv.port}")
    try:
        done = tokyo.run("sync", "now", check=False)
        assert done.returncode == 4 and "another key" in done.err
    finally:
        stranger.stop()
    assert "another key" in status(tokyo, telaviv)["broken"]["why"]


# ---- a partner that lies ----

def lying(node):
    """The partner's own key, in hands that do not keep to the agreement."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    node.run("sync", "now", check=False)  # writes the certificate
    return load_pem_private_key((node.folder / "tls" / "partner-key.pem").read_bytes(), None)


def context_of(node, server=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(node.folder / "tls" / "partner.pem", node.folder / "tls" / "partner-key.pem")
    return context


def ask_as(node, of, method, path, body=None):
    line = http.client.HTTPSConnection("127.0.0.1", of.port, context=context_of(node), timeout=30)
    line.request(method, path, body)
    answer = line.getresponse()
    return answer.status, answer.read()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_receipt(key, **members):
    receipt = {"type": "entente-receipt", "version": 1, "count": 1, "taken": 1, "held": 0, "refused": 0,
               "at": "2026-01-01T00:00:00Z", "results": [], **members}
    digest = hashlib.sha256(canonical(receipt)).digest()
    receipt["signatures"] = [base64.b64encode(key.sign(b"entente-receipt/1\n" + digest)).decode()]
    return json.dumps(receipt).encode()


def tree_root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + tree_root(leaves[:half]) + tree_root(leaves[half:])).digest()


def signed_batch(key, source, to, after, following, ways, items):
    """A batch as FORMATS.md has it; items: (way, JSON text)."""
    texts = [json.dumps(way, separators=(",", ":")) for way in ways]
    leaves = [hashlib.sha256(b"\0" + (texts[way].encode() if way is not None else b"") + b"\n" + text.encode()).digest()
              for way, text in items]
    root = tree_root(leaves).hex()
    message = f"entente-batch/1\n{source}\n{to}\n{after}\n{following}\n{root}\n{len(items)}\n"
    head = {"type": "entente-batch", "version": 1, "from": source, "to": to, "after": after, "next": following,
            "root": root, "signature": base64.b64encode(key.sign(message.encode())).decode()}
    return (json.dumps(head)[:-1] + ',"ways":[' + ",".join(texts) + '],"items":[' +
            ",".join(text for _, text in items) + "]}").encode()


def object_item(way, one):
    return way, f'{{"kind":"object","way":{way},"object":{json.dumps(one)}}}'


class Liar:
    """Answers one question for the feed with these bytes, then with nothing; takes receipts."""

    def __init__(self, node, body):
        outer = self
        self.bodies, self.receipts = [body], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = outer.bodies.pop() if outer.bodies else None
                self.send_response(204 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def do_POST(self):
                outer.receipts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", node.port), Handler)
        self.server.socket = context_of(node, server=True).wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def way_of(pair, **more):
    tokyo, telaviv = pair
    listed, = tokyo.rows("agreement", "list")
    return {"agreement": tokyo.agreement, "hash": listed["hash"], "obligations": [],
            "path": [{"agreement": tokyo.agreement, "from": telaviv.id, "to": tokyo.id}], **more}


def test_a_partner_that_sends_what_it_may_not_is_refused_and_the_rest_goes_on(pair):
    tokyo, telaviv = pair
    key = lying(telaviv)
    far = "identity--3fa1cb8e-2a1c-4a73-9d3f-95a8c2a60f01"
    good = way_of(pair)
    ways = [good, {**good, "hash": "sha256:" + "0" * 64}, {**good, "path": [{**good["path"][0], "to": far}]},
            {**good, "path": [{"agreement": "agreement--x", "from": tokyo.id, "to": telaviv.id}] + good["path"]}]
    items = [object_item(0, indicator(0, object_marking_refs=[GREEN])),
             object_item(0, indicator(1, object_marking_refs=[RED])),
             object_item(0, indicator(2)),
             object_item(0, {"type": "incident", "spec_version": "2.1", "name": "x",
                             "id": "incident--11111111-1111-4111-8111-111111111111",
                             "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                             "object_marking_refs": [GREEN]}),
             object_item(0, {"type": "indicator", "id": "indicator--broken", "object_marking_refs": [GREEN]}),
             object_item(1, indicator(3, object_marking_refs=[GREEN])),
             object_item(2, indicator(4, object_marking_refs=[GREEN])),
             object_item(3, indicator(5, object_marking_refs=[GREEN])),
             object_item(0, indicator(6, object_marking_refs=[GREEN]))]
    with Liar(telaviv, signed_batch(key, telaviv.id, tokyo.id, "0.0", "9.0", [ways[0], ways[1], ways[2], ways[3]],
                                    items)) as liar:
        row, = tokyo.rows("sync", "now")
    assert (row["objects"], row["refused"]) == (2, 7)
    assert [holds(tokyo, indicator(i)["id"]) for i in range(7)] == [True] + 5 * [False] + [True]
    receipt, = liar.receipts
    why = {one["index"]: one["reason"] for one in receipt["results"]}
    assert why[1] == "TLP_RED_NOT_NAMED" and why[2] == "UNMARKED_REFUSED" and why[3] == "TYPE_NOT_ALLOWED"
    assert why[5] == "AGREEMENT_HASH_MISMATCH" and "way does not lead" in why[6] and "loop" in why[7]
    assert set(why) == {1, 2, 3, 4, 5, 6, 7} and (receipt["taken"], receipt["refused"]) == (2, 7)
    assert status(tokyo, telaviv)["in"]["refused"] == 7


@pytest.mark.parametrize("what", ["altered", "other key", "for another", "replay", "no JSON"])
def test_a_batch_that_does_not_hold_is_refused_whole(pair, what):
    tokyo, telaviv = pair
    key = lying(telaviv)
    items = [object_item(0, indicator(0, object_marking_refs=[GREEN]))]
    body = signed_batch(lying(tokyo) if what == "other key" else key, telaviv.id,
                        telaviv.id if what == "for another" else tokyo.id,
                        "3.0" if what == "replay" else "0.0", "9.0", [way_of(pair)], items)
    if what == "altered":
        body = body.replace(b"indicator 0", b"indicator 9")
    if what == "no JSON":
        body = body[:-9]
    with Liar(telaviv, body) as liar:
        done = tokyo.run("sync", "now", check=False)
    assert done.returncode != 0 and done.err.startswith("entente: ") and liar.receipts == []
    assert not holds(tokyo, indicator(0)["id"]) and status(tokyo, telaviv)["in"]["objects"] == 0
    if what != "replay":
        assert status(tokyo, telaviv)["broken"]["why"]


def test_receipts_are_taken_for_what_was_sent_alone(pair):
    tokyo, telaviv = pair
    key, other = lying(tokyo), lying(telaviv)
    telaviv.take([indicator(0, object_marking_refs=[GREEN])])
    telaviv.run("release", indicator(0)["id"])
    telaviv.start()
    code, body = ask_as(tokyo, telaviv, "GET", "/partner/v1/feed?after=0.0&wait=0")
    batch = json.loads(body)
    assert code == 200 and [item["kind"] for item in batch["items"]] == ["agreement", "object"]
    ends = {name: batch[name] for name in ("after", "next", "root")}
    for receipt, wanted in (
            (signed_receipt(other, **{"from": tokyo.id, "to": telaviv.id, **ends}), 400),
            (signed_receipt(key, **{"from": telaviv.id, "to": tokyo.id, **ends}), 400),
            (signed_receipt(key, **{"from": tokyo.id, "to": telaviv.id, **ends, "root": "0" * 64}), 409),
            (signed_receipt(key, **{"from": tokyo.id, "to": telaviv.id, **ends, "next": "99999.0"}), 409),
            (b"{}", 400), (b"", 400)):
        assert ask_as(tokyo, telaviv, "POST", "/partner/v1/receipts", receipt)[0] == wanted
    assert status(telaviv, tokyo)["receipts"]["batches"] == 0 and status(telaviv, tokyo)["broken"]["batches"] > 0
    receipt = signed_receipt(key, **{"from": tokyo.id, "to": telaviv.id, **ends})
    for _ in range(2):  # the same again changes nothing
        assert ask_as(tokyo, telaviv, "POST", "/partner/v1/receipts", receipt)[0] == 204
    assert status(telaviv, tokyo)["receipts"]["batches"] == 1 and status(telaviv, tokyo)["receipts"]["objects"] == 1


@pytest.mark.parametrize("path,code", [
    ("/partner/v1/feed", 400), ("/partner/v1/feed?after=0.0&wait=999", 400), ("/partner/v1/feed?after=x&wait=0", 400),
    ("/partner/v1/feed?after=999999999.0&wait=0", 400), ("/partner/v1/other", 404), ("/taxii2/", 404),
    ("/partner/v1/receipts", 405)])
def test_what_partners_may_not_ask(pair, path, code):
    tokyo, telaviv = pair
    lying(tokyo)
    telaviv.start()
    assert ask_as(tokyo, telaviv, "GET", path)[0] == code


# ---- what else travels ----

def both_now(*nodes, times=1):
    """Each serves while the others ask, by hand, so that nothing is left to chance."""
    for _ in range(times):
        for node in nodes:
            node.start()
        for node in nodes:
            node.run("sync", "now", check=False)
        for node in nodes:
            node.process.terminate()  # all at once: each takes up to a second to leave its partners
        for node in nodes:
            node.stop()


def test_an_agreement_is_proposed_signed_and_suspended_over_the_wire(nodes, tmp_path):
    tokyo, telaviv = nodes
    introduce(tokyo, telaviv, tmp_path)
    tokyo.start(), telaviv.start()
    agreement = tokyo.run("agreement", "draft", telaviv.id).out.strip()
    time.sleep(1)
    assert telaviv.rows("agreement", "list") == []  # a draft is nobody else's business
    tokyo.run("agreement", "propose", agreement, "--send")
    until(lambda: telaviv.rows("agreement", "list"))
    telaviv.run("agreement", "sign", agreement)
    until(lambda: len(tokyo.rows("agreement", "list")[0]["signatures"]) == 1)
    tokyo.run("agreement", "sign", agreement)
    for node in nodes:
        until(lambda: node.rows("agreement", "list")[0]["signed"])
    assert tokyo.rows("agreement", "list")[0]["hash"] == telaviv.rows("agreement", "list")[0]["hash"]
    telaviv.take([indicator(0, object_marking_refs=[GREEN])])

    def verdict():
        return telaviv.rows("agreement", "test", indicator(0)["id"])[0]["decision"]

    assert verdict() == "share"
    tokyo.run("agreement", "suspend", agreement, "--reason", "until Monday")
    until(lambda: verdict() == "refuse")
    telaviv.run("agreement", "suspend", agreement)
    tokyo.run("agreement", "resume", agreement)
    time.sleep(1)
    assert verdict() == "refuse"  # its own word still stands
    telaviv.run("agreement", "resume", agreement)
    until(lambda: verdict() == "share")
    tokyo.run("agreement", "end", agreement)
    until(lambda: telaviv.rows("agreement", "list")[0]["state"] == "ended")
    counts = [len(node.rows("audit", "--kind", "agreement.put")) for node in nodes]
    assert max(counts) <= 5  # nothing goes round and round


def test_a_sighting_goes_back_to_who_gave_the_indicator(pair, tmp_path):
    tokyo, telaviv = pair
    telaviv.take([indicator(7, object_marking_refs=[GREEN])])
    telaviv.run("release", indicator(7)["id"])
    both_now(telaviv, tokyo)
    tokyo.take([indicator(8, object_marking_refs=[GREEN])])  # its own: nobody else's business
    log = tmp_path / "eve.json"
    log.write_text("".join(json.dumps({
        "timestamp": f"2026-02-01T00:00:0{i}.000000+0000", "event_type": "flow", "proto": "TCP", "src_ip": "192.0.2.33",
        "src_port": 1000 + i, "dest_ip": f"198.51.0.{7 + i % 2}", "dest_port": 443}) + "\n" for i in range(4)))
    tokyo.run("scan", "--report", log, check=False)
    assert len(tokyo.rows("sighting", "list")) == 2
    both_now(tokyo, telaviv)
    sightings = telaviv.rows("search", "--type", "sighting")
    assert len(sightings) == 1
    seen = json.loads(telaviv.run("show", "--raw", sightings[0]["id"]).out)
    assert seen["sighting_of_ref"] == indicator(7)["id"] and seen["count"] == 2 and seen["created_by_ref"] == tokyo.id
    assert "where_sighted_refs" not in seen and "observed_data_refs" not in seen
    assert "192.0.2.33" not in json.dumps(seen)
    entry, = [row["data"] for row in telaviv.rows("audit", "--kind", "objects") if "partner" in row["data"]["origin"]]
    assert tokyo.id in entry["origin"]
    row, = telaviv.rows("sighting", "list", "--partners")
    assert (row["indicator"], row["by"], row["count"]) == (indicator(7)["id"], tokyo.id, 2)
    assert row["first_seen"] < row["last_seen"] and telaviv.rows("sighting", "list") == []
    assert f"seen by {tokyo.id}" in telaviv.run("sighting", "list", "--partners").out
    assert status(telaviv, tokyo)["in"]["sightings"] == status(tokyo, telaviv)["out"]["sightings"] == 1
    # What came from a partner does not return to it, however often they ask.
    before = status(tokyo, telaviv)["in"]["objects"]
    both_now(tokyo, telaviv, times=2)
    assert status(tokyo, telaviv)["in"]["objects"] == before
    assert len(tokyo.rows("search", "--type", "sighting")) == 2


def test_a_recall_reaches_the_holder_who_removes_it_and_answers(pair):
    tokyo, telaviv = pair
    ids = [indicator(i)["id"] for i in range(3)]
    telaviv.take([indicator(i, object_marking_refs=[GREEN]) for i in range(3)])
    telaviv.run("release", *ids[:2])
    both_now(telaviv, tokyo)
    assert holds(tokyo, ids[0]) and holds(tokyo, ids[1])
    row, = telaviv.rows("recall", ids[0], "--reason", "it was wrong")
    assert row["holders"] == [{"partner": tokyo.id, "answered": False}]
    both_now(telaviv, tokyo)
    assert not holds(tokyo, ids[0]) and holds(tokyo, ids[1]) and holds(telaviv, ids[0])
    row, = telaviv.rows("recall", "list")
    holder, = row["holders"]
    assert (holder["partner"], holder["answered"], holder["outcome"]) == (tokyo.id, True, "removed")
    row, = tokyo.rows("recall", "list")
    assert row["by"] == telaviv.id and row["reason"] == "it was wrong"
    row, = telaviv.rows("recall", ids[2], "--reason", "nobody has it")
    assert row["holders"] == []
    for node in pair:
        node.run("rebuild")
    assert telaviv.rows("recall", "list")[0]["holders"] + telaviv.rows("recall", "list")[1]["holders"] == [holder]
    assert telaviv.run("recall", ids[0], check=False).returncode == 2
    assert telaviv.run("recall", "x", "--reason", "y", check=False).returncode == 2


def test_a_partner_cannot_recall_what_another_gave(pair):
    tokyo, telaviv = pair
    tokyo.take([indicator(0, object_marking_refs=[GREEN])])
    item = {"kind": "recall", "recall": "recall--11111111-1111-4111-8111-111111111111", "reason": "gone",
            "objects": [indicator(0)["id"]]}
    body = signed_batch(lying(telaviv), telaviv.id, tokyo.id, "0.0", "9.0", [], [(None, json.dumps(item))])
    with Liar(telaviv, body) as liar:
        tokyo.run("sync", "now")
    assert holds(tokyo, indicator(0)["id"])
    assert [one["outcome"] for one in liar.receipts[0]["results"]] == ["not held"]


def test_three_nodes_in_a_ring_hold_an_object_once_with_its_way(tmp_path):
    made = [make(tmp_path / name) for name in ("one", "two", "three")]
    one, two, three = made
    try:
        for a, b in ((one, two), (two, three), (three, one)):
            introduce(a, b, tmp_path)
            a.next = agree((a, b), tmp_path, b.id, "indicators")
        first = indicator(0, object_marking_refs=[GREEN])
        one.take([first])
        one.run("release", first["id"], "--agreement", one.next)
        both_now(one, two)
        two.run("release", first["id"], "--agreement", two.next)
        both_now(two, three)
        assert holds(three, first["id"])
        three.run("release", first["id"], "--agreement", three.next, check=False)
        both_now(*made, times=2)
        for node in made:
            assert len(json.loads(node.run("export").out)["objects"]) == 1
        entry, = [row["data"] for row in three.rows("audit", "--kind", "objects") if "partner" in row["data"]["origin"]]
        path = json.loads(entry["origin"].removeprefix("partner "))["path"]
        assert [(hop["from"], hop["to"]) for hop in path] == [(one.id, two.id), (two.id, three.id)]
        assert status(one, three)["in"]["objects"] == 0
        # A recall goes the whole way.
        one.run("recall", first["id"], "--reason", "wrong")
        both_now(*made, times=2)
        assert [holds(node, first["id"]) for node in made] == [True, False, False]
    finally:
        for node in made:
            node.stop()


def test_verify_finds_what_differs_and_fetches_it(pair):
    tokyo, telaviv = pair
    ids = [indicator(i)["id"] for i in range(40)]
    telaviv.take([indicator(i, object_marking_refs=[GREEN]) for i in range(40)])
    telaviv.run("release", *ids)
    both_now(telaviv, tokyo)
    telaviv.start()
    row, = tokyo.rows("sync", "verify", telaviv.id)
    assert (row["in_sync"], row["missing"], row["surplus"]) == (True, 0, 0) and row["bytes"] < 1024
    tokyo.run("remove", ids[3], ids[8], "--collection", "partners")
    done = tokyo.run("sync", "verify", telaviv.id, "--dry-run", "--json", check=False)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert done.returncode == 5 and {row["id"] for row in rows[:-1]} == {ids[3], ids[8]} and rows[-1]["missing"] == 2
    assert not holds(tokyo, ids[3])
    *_, row = tokyo.rows("sync", "verify", telaviv.id)
    assert (row["in_sync"], row["fetched"]) == (True, 2) and holds(tokyo, ids[3]) and holds(tokyo, ids[8])
    row, = tokyo.rows("sync", "verify", telaviv.id)
    assert (row["in_sync"], row["missing"]) == (True, 0)
    # What may not go any more is surplus, and told.
    telaviv.run("agreement", "suspend", telaviv.agreement)
    done = tokyo.run("sync", "verify", telaviv.id, check=False)
    assert done.returncode == 5 and f"surplus  {ids[0]}" in done.out and "40 surplus" in done.out
    for body in (b"", b"x", b"a" * 70000):
        assert ask_as(tokyo, telaviv, "POST", "/partner/v1/reconcile", body)[0] in (200, 400)
        assert ask_as(tokyo, telaviv, "POST", "/partner/v1/objects", body or b"-")[0] in (400, 413)
    telaviv.stop()
    assert tokyo.run("sync", "verify", telaviv.id, check=False).returncode == 75
    assert tokyo.run("sync", "verify", "identity--x", check=False).returncode == 3


def test_what_a_partner_gave_is_passed_on_as_it_allows(pair):
    tokyo, telaviv = pair
    member, partner = "identity--8c1a7b1e-52d0-4b6e-9a6e-0f1d8a1c0001", indicator(0)["id"]
    telaviv.take([indicator(0, object_marking_refs=[GREEN]), indicator(1, object_marking_refs=[GREEN])])
    telaviv.run("release", partner)
    both_now(telaviv, tokyo)
    tokyo.take([indicator(2, object_marking_refs=[GREEN])])

    def leaves(*whom):
        return {one["id"] for one in json.loads(tokyo.run("export", *whom).out).get("objects", [])}

    # The bilateral agreement lets the own organisation and its clients have it; the public never.
    assert leaves("--for", member) == {partner, indicator(2)["id"]}
    tokyo.run("agreement", "suspend", tokyo.agreement)
    assert partner in leaves("--for", member)  # what was given stays under what was agreed
    row, = tokyo.rows("release", "preview", partner)
    assert row["decision"] == "refuse"
    telaviv.run("agreement", "end", telaviv.agreement)
    tokyo.run("agreement", "end", tokyo.agreement)
    assert partner in leaves() and indicator(2)["id"] in leaves("--for", member)


def test_what_may_not_be_passed_on_is_not(nodes, tmp_path):
    tokyo, telaviv = nodes
    introduce(tokyo, telaviv, tmp_path)
    agree(nodes, tmp_path, telaviv.id, "anonymous")  # the own organisation alone
    member = "identity--8c1a7b1e-52d0-4b6e-9a6e-0f1d8a1c0001"
    telaviv.take([indicator(0, object_marking_refs=[GREEN])])
    telaviv.run("release", indicator(0)["id"])
    both_now(telaviv, tokyo)
    tokyo.take([indicator(1, object_marking_refs=[GREEN])])

    def leaves(*whom):
        return {one["id"] for one in json.loads(tokyo.run("export", *whom).out).get("objects", [])}

    assert leaves() == {indicator(0)["id"], indicator(1)["id"]}
    assert leaves("--for", member) == {indicator(1)["id"]}
