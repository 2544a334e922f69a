"""Every way out of a node, taken from the program's own tables, with objects that may not leave.

A new route or command fails the first two tests until it is listed here with what it lets out.
"""
import json
import re
import time

import pytest
from conftest import indicator
from test_agreement import agree, introduce, pair  # noqa: F401

CLEAR = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
STRICT = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
MEMBER = "identity--8c1a7b1e-52d0-4b6e-9a6e-0f1d8a1c0001"
PERSON = "identity--8c1a7b1e-52d0-4b6e-9a6e-0f1d8a1c0002"
UNKNOWN = "marking-definition--11111111-1111-4111-8111-111111111111"
SECRET = "tell-nobody"

OPEN, LIMITED, STRICTLY, CLOSED, NAMED, STRANGE = range(6)
OBJECTS = [
    indicator(OPEN, object_marking_refs=[CLEAR]),
    indicator(LIMITED, object_marking_refs=[AMBER], name="for members"),
    indicator(STRICTLY, object_marking_refs=[STRICT], name=SECRET + "-strict"),
    indicator(CLOSED, object_marking_refs=[RED], name=SECRET + "-red"),
    indicator(NAMED, object_marking_refs=[RED], name=SECRET + "-named", x_entente_named_recipients=[PERSON]),
    indicator(STRANGE, object_marking_refs=[UNKNOWN], name=SECRET + "-unknown"),
]
IDS = [one["id"] for one in OBJECTS]
GET = {
    "objects": ["", "?limit=1", "?match[version]=all", "?match[type]=indicator"],
    "manifest": ["", "?limit=1", "?match[version]=all"],
}
MAY = {"public": {OPEN}, "member": {OPEN, LIMITED}, "own": {OPEN, LIMITED, STRICTLY, CLOSED, STRANGE},
       "person": set(range(6))}

# What a path lets out: "objects" are decided; the rest says why there is nothing to decide.
ROUTES = {
    "/{root}/collections/{collection}/objects/": "objects",
    "/{root}/collections/{collection}/objects/{object}/": "objects",
    "/{root}/collections/{collection}/objects/{object}/versions/": "objects",
    "/{root}/collections/{collection}/manifest/": "objects",
    "/export/{format}": "decided for the token's account: tests/flow/test_export_http.py",
    "/api/v1/{resource}": "decided for the session's account: tests/flow/test_web_api.py",
    "/telemetry": "counts; of hits none to a member",
    "/ledger/{file}": "entries of the log; none to a member",
    "/taxii2/": "the node", "/{root}/": "the node", "/{root}/collections/": "collections with a right",
    "/{root}/collections/{collection}/": "a collection with a right", "/{root}/status/{status}/": "the client's own POST",
    "/setup/{secret}": "a form", "/witness/add-checkpoint": "a cosignature", "/livez": "a word", "/readyz": "a word",
    "/metrics": "counts, on loopback",
    "/partner/v1/feed": "to a partner's key alone, under agreements: test_sync.py",
    "/partner/v1/receipts": "a word",
    "/partner/v1/reconcile": "hashes of what the feed holds, to that partner's key alone",
    "/partner/v1/objects": "what the feed holds, to that partner's key alone",
}
# "as": what it shows is decided for --as USER; "for": for an organisation; "operator": it has no such
# option and is for who has the folder; "none": shows no objects of the store.
COMMANDS = {
    # Under agreements, to their parties: decided by what the agreements say; --as is who does it.
    "release preview": "operator", "release": "as", "release approve": "as", "release send-back": "as",
    "release list": "none",
    "show": "as", "search": "as", "export": "as for", "export install": "as for", "sighting list": "as", "push": "for",
    "alert send": "operator", "scan": "operator", "retro": "operator", "agreement test": "operator", "audit": "operator", "ledger log": "operator",
    "ledger prove": "operator", "ledger export": "operator", "ledger bundle": "operator", "serve": "routes above",
    **dict.fromkeys([
        "alert list", "init", "import", "pattern check", "pattern explain", "pattern test", "events", "allow add", "allow list",
        "allow remove", "sighting false", "pull", "user add", "user list", "user password", "user roles",
        "user disable", "user enable", "user organisation", "user remove", "token add", "token list", "token remove",
        "collection add", "collection list", "collection remove", "collection grant", "collection revoke",
        "agreement draft", "agreement edit", "agreement sign", "agreement propose", "agreement accept",
        "agreement list", "agreement show", "agreement explain", "agreement suspend", "agreement resume",
        "agreement end", "agreement diff", "partner show", "agreement decide", "partner card", "partner add", "partner confirm", "partner list",
        "partner remove", "sync now", "sync status", "recall", "recall list", "sync verify", "remove", "ledger head", "ledger check-consistency", "ledger verify", "ledger keys",
        "ledger witness add", "ledger witness list", "ledger witness remove", "ledger witness evidence", "status",
        "rebuild", "config list", "config check", "completion", "man", "version", "help"], "none"),
}


@pytest.fixture
def house(node):
    node.collection("Open", alias="open")
    for name, options in (("member", ("--organisation", MEMBER)), ("own", ()), ("person", ("--person", PERSON)),
                          ("writer", ("--organisation", MEMBER))):
        role = "analyst" if name == "writer" else "reader"
        node.run("user", "add", name, "--role", role, *options)
    for name in ("member", "own", "person", "writer", "anonymous"):
        node.run("collection", "grant", "open", name, "--read", *(["--write"] if name == "writer" else []))
    node.tokens = {name: node.token(name) for name in ("member", "own", "person", "writer")}
    node.tokens["public"] = None
    node.take(OBJECTS, "--collection", "open", "--check", "lenient")
    return node


def test_every_route_is_listed(node):
    assert {row["path"] for row in node.rows("serve", "--routes")} == set(ROUTES)


def test_every_command_is_listed(node):
    said = node.run("help").out.split("commands:")[1]
    told = {match[1].strip() for match in re.finditer(r"^  (\S.*?)(?:  +|\n +)\S", said, re.M)}
    assert told == set(COMMANDS)
    for command, how in COMMANDS.items():
        options = node.run("help", *command.split()).out
        assert ("--as" in options, "--for " in options) == ("as" in how.split(), "for" in how.split()), command


def pages(node, who, path):
    """All of a list, page after page."""
    rows, more = [], ""
    while True:
        answer = node.ask(path + more, token=node.tokens[who])
        assert answer.status == 200, answer.body
        assert who in ("own", "person") or SECRET.encode() not in answer.body
        page = answer.json()
        rows += page.get("objects", [])
        if not page.get("more"):
            return rows
        more = ("&" if "?" in path else "?") + "next=" + page["next"]


@pytest.mark.parametrize("who", sorted(MAY))
def test_no_route_goes_round_the_decision(house, who):
    house.serve()
    wanted = {IDS[i] for i in MAY[who]}
    for path, kind in ROUTES.items():
        if kind != "objects" or "{object}" in path:
            continue
        path = path.replace("{root}", "api").replace("{collection}", "open")
        for query in GET[path.rstrip("/").rsplit("/", 1)[1]]:
            assert {row["id"] for row in pages(house, who, path + query)} == wanted, (path, query)
    for path in (path for path, kind in ROUTES.items() if kind == "objects" and "{object}" in path):
        for i, ident in enumerate(IDS):
            where = path.replace("{root}", "api").replace("{collection}", "open").replace("{object}", ident)
            answer = house.ask(where, token=house.tokens[who])
            assert answer.status == (200 if i in MAY[who] else 404), (where, answer.body)
            assert i in MAY[who] or SECRET.encode() not in answer.body
    for ident in IDS:
        by_id = pages(house, who, f"/api/collections/open/objects/?match[id]={ident}")
        assert [row["id"] for row in by_id] == ([ident] if ident in wanted else [])
    assert house.ask("/ledger/checkpoint", token=house.tokens[who]).status in (200, 401)
    if who == "member":
        assert house.ask("/ledger/tile/entries/000.p/1", token=house.tokens[who]).status in (403, 404)


def test_what_is_withheld_cannot_be_removed(house):
    house.serve()
    for i in range(len(IDS)):
        answer = house.ask(f"/api/collections/open/objects/{IDS[i]}/", "DELETE", token=house.tokens["writer"])
        assert answer.status == (200 if i in MAY["member"] else 404)


@pytest.mark.parametrize("who", sorted(MAY))
def test_no_command_goes_round_the_decision(house, tmp_path, who):
    name = "anonymous" if who == "public" else who
    wanted = {IDS[i] for i in MAY[who]}
    exported = json.loads(house.run("export", "--as", name).out)
    assert {row["id"] for row in exported.get("objects", [])} == wanted
    house.run("export", "--as", name, "--output", tmp_path / "out.json")
    assert {row["id"] for row in json.loads((tmp_path / "out.json").read_text())["objects"]} == wanted
    found = house.run("search", "--as", name, "--type", "indicator", "--json").out
    assert {json.loads(line)["id"] for line in found.splitlines()} == wanted
    for i, ident in enumerate(IDS):
        for how in ("--raw", "--json", "--all-versions"):
            shown = house.run("show", ident, "--as", name, how, check=False)
            assert shown.returncode == (0 if i in MAY[who] else 3), (ident, shown.err)
            assert i in MAY[who] or SECRET not in shown.out + shown.err
        assert house.run("search", ident, "--as", name, check=False).returncode == (0 if i in MAY[who] else 3)
    assert house.rows("sighting", "list", "--as", name) == []
    assert {row["id"] for row in json.loads(house.run("export").out)["objects"]} == set(IDS)


def test_as_needs_the_right_to_read(house):
    house.run("user", "add", "stranger", "--organisation", MEMBER)
    house.run("collection", "revoke", "open", "anonymous", "--read")
    assert "objects" not in json.loads(house.run("export", "--as", "stranger").out)
    assert house.run("export", "--as", "nobody", check=False).returncode == 3
    house.run("user", "disable", "member")
    assert house.run("export", "--as", "member", check=False).returncode == 4


def test_export_for_an_organisation(house):
    exported = json.loads(house.run("export", "--for", MEMBER).out)
    assert {row["id"] for row in exported["objects"]} == {IDS[OPEN], IDS[LIMITED]}
    row = house.rows("audit", "--kind", "export")[-1]
    assert "2" in json.dumps(row)
    assert house.run("export", "--for", "nobody", check=False).returncode == 2
    assert house.run("export", "--for", MEMBER, "--as", "own", check=False).returncode == 2


def test_push_sends_what_may_go_there(house, tmp_path):
    from conftest import Node
    other = Node(tmp_path / "other")
    other.init()
    other.collection("In", alias="in")
    other.user("pusher", "long enough a password")
    other.run("collection", "grant", "in", "pusher", "--read", "--write")
    (tmp_path / "token").write_text(other.token("pusher") + "\n")
    other.serve("--plain-http")
    try:
        for options, wanted in ((("--for", MEMBER), MAY["member"]), ((), MAY["own"])):
            house.run("push", other.url + "/api/collections/in/", "--token-file", tmp_path / "token", "--from", "open",
                      "--from-start", *options, check=False)
            held = json.loads(other.run("export", "--collection", "in").out)["objects"]
            assert {row["id"] for row in held if row["type"] == "indicator"} <= {IDS[i] for i in wanted}
            assert IDS[OPEN] in {row["id"] for row in held}
    finally:
        other.stop()


def test_a_redacted_copy_has_its_own_name_everywhere(house):
    """A part marked for fewer leaves without that part, under an id of its own."""
    part = indicator(20, object_marking_refs=[CLEAR], description=SECRET,
                     granular_markings=[{"marking_ref": RED, "selectors": ["description"]}])
    house.take([part], "--collection", "open")
    house.serve()
    objects = pages(house, "member", "/api/collections/open/objects/")
    copy, = [row for row in objects if "x_entente_removed" in row]
    assert copy["id"] != part["id"] and "description" not in copy
    assert copy["id"] in {row["id"] for row in pages(house, "member", "/api/collections/open/manifest/")}
    assert part["id"] not in {row["id"] for row in pages(house, "member", "/api/collections/open/manifest/")}
    assert part in pages(house, "own", "/api/collections/open/objects/")


def test_an_embargo_ends_and_a_marking_that_is_learnt_opens(house):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    held = indicator(30, object_marking_refs=[CLEAR], x_entente_embargo_until=soon)
    house.take([held], "--collection", "open")
    house.serve()
    path = "/api/collections/open/objects/"
    deadline = time.time() + 20
    while held["id"] not in {row["id"] for row in pages(house, "member", path)}:
        assert time.time() < deadline
        time.sleep(0.2)
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) >= soon
    house.take([{"type": "marking-definition", "spec_version": "2.1", "id": UNKNOWN, "created": "2026-01-01T00:00:00Z",
                 "definition_type": "statement", "definition": {"statement": "as you like"}}], "--collection", "open")
    assert IDS[STRANGE] in {row["id"] for row in house.ask(path, token=house.tokens["member"]).json()["objects"]}


def test_the_organisation_of_an_account(house):
    rows = {row["name"]: row for row in house.rows("user", "list")}
    assert rows["member"]["organisation"] == MEMBER and "organisation" not in rows["own"]
    assert rows["person"]["person"] == PERSON
    assert house.run("user", "organisation", "member", "nothing", check=False).returncode == 1
    assert house.run("user", "add", "bad", "--organisation", "nothing", check=False).returncode == 2
    assert "bad" not in {row["name"] for row in house.rows("user", "list")}
    before = house.run("rebuild").out
    house.run("user", "organisation", "member")
    assert "organisation" not in {row["name"]: row for row in house.rows("user", "list")}["member"]
    assert before and house.run("rebuild").out


def test_a_members_sensor_is_not_told_of_hits(house):
    house.run("user", "add", "sensor", "--role", "sensor", "--organisation", MEMBER)
    house.run("user", "add", "ours", "--role", "sensor")
    tokens = {name: house.token(name) for name in ("sensor", "ours")}
    house.serve()
    line = b'{"event_type":"flow","timestamp":"2026-01-01T00:00:00.000000+0000","src_ip":"10.0.0.1","dest_ip":"8.8.4.4"}\n'
    for name, told in (("sensor", False), ("ours", True)):
        answer = house.ask("/telemetry", "POST", line, token=tokens[name], content_type="application/json")
        assert answer.status == 200 and ("hits" in answer.json()) == told


def test_a_partners_account_gets_what_the_agreement_says(pair, tmp_path):  # noqa: F811
    """Nothing without an agreement, what it covers with one, nothing again while it is suspended."""
    a, _ = pair
    _, partner = introduce(pair, tmp_path)
    a.collection("Open", alias="open")
    a.run("user", "add", "theirs", "--organisation", partner)
    a.run("collection", "grant", "open", "theirs", "--read")
    a.tokens = {"theirs": a.token("theirs")}
    a.take(OBJECTS, "--collection", "open", "--check", "lenient")
    a.serve("--plain-http")
    try:
        path = "/api/collections/open/objects/"
        assert pages(a, "theirs", path) == []
        text = tmp_path / "draft.json"
        agreement = agree(pair, tmp_path, partner)
        assert pages(a, "theirs", path) == []  # encrypt_in_transit, or not: the line must be encrypted
        draft = json.loads(a.run("agreement", "show", agreement).out)
        del draft["signatures"]
        draft["version"] = 2
        for grant in draft["grants"]:
            grant["encrypt_in_transit"], grant["tlp"]["max"] = "may", "amber"
        text.write_text(json.dumps(draft))
        a.run("agreement", "edit", agreement, text)
        again(pair, tmp_path, agreement)
        assert {row["id"] for row in pages(a, "theirs", path)} == {IDS[OPEN], IDS[LIMITED]}
        a.run("agreement", "suspend", agreement)
        assert pages(a, "theirs", path) == []
    finally:
        a.stop()


def again(pair, tmp_path, agreement):  # noqa: F811
    a, b = pair
    a.run("agreement", "sign", agreement)
    a.run("agreement", "propose", agreement, "--output", tmp_path / "a2.json")
    b.run("agreement", "accept", tmp_path / "a2.json")
    b.run("agreement", "sign", agreement)
    b.run("agreement", "propose", agreement, "--output", tmp_path / "b2.json")
    a.run("agreement", "accept", tmp_path / "b2.json")
