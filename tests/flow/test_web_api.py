"""The API behind the operator's pages: who may call what, what a browser of another site cannot do."""
import json

import pytest
from conftest import ROOT, indicator
from test_agreement import agree, introduce, pair  # noqa: F401
from test_ways_out import CLEAR, IDS, MAY, MEMBER, RED, SECRET, house  # noqa: F401

API = "/api/v1"
PASSWORD = "long enough a password"
DESCRIBED = json.loads((ROOT / "docs" / "openapi.json").read_text())
ROLES = ("admin", "analyst", "releaser", "reader", "sensor")
XSS = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\u2028\u202e"


class Browser:
    """Keeps the cookie and sends what a page of the node's own sends."""

    def __init__(self, node, site=None):
        self.node, self.cookie, self.csrf, self.site = node, None, None, site

    def ask(self, path, method="GET", body=None, csrf=True, headers=None, content_type="application/json"):
        more = dict(headers or {})
        if self.cookie:
            more["Cookie"] = "other=1; " + self.cookie
        if csrf and self.csrf and method != "GET":
            more["X-Entente-Csrf"] = self.csrf
        answer = self.node.ask(API + path, method, None if body is None else json.dumps(body).encode(),
                               headers=more, accept="*/*", content_type=content_type)
        return answer

    def log_in(self, name, password=PASSWORD, **more):
        answer = self.ask("/session", "POST", {"name": name, "password": password}, **more)
        if answer.status == 201:
            self.set_cookie = answer.headers["Set-Cookie"]
            self.cookie = self.set_cookie.split(";")[0]
            self.csrf = answer.json()["csrf"]
        return answer


def conforms(value, schema, where):
    """Against the part of JSON Schema that the description uses; unknown members of ours fail."""
    if "$ref" in schema:
        schema = DESCRIBED["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert isinstance(value, kinds[schema["type"]]), where
    if schema["type"] == "array":
        for i, one in enumerate(value):
            conforms(one, schema["items"], f"{where}[{i}]")
    for name in schema.get("required", ()):
        assert name in value, (where, name)
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            conforms(value[name], inner, f"{where}.{name}")


def described(answer, method, path):
    responses = DESCRIBED["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in responses, (method, path, answer.status)
    content = responses[str(answer.status)].get("content")
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
    if content is None:
        assert answer.body == b""
    else:
        assert answer.headers["Content-Type"] == "application/json"
        conforms(answer.json(), content["application/json"]["schema"], path)


@pytest.fixture
def people(house):  # noqa: F811
    for role in ROLES:
        house.user("p-" + role, PASSWORD, role)
    house.user("p-member", PASSWORD, "analyst")
    house.run("user", "organisation", "p-member", MEMBER)
    for name in ("p-analyst", "p-releaser", "p-reader", "p-member"):
        house.run("collection", "grant", "open", name, "--read")
    house.serve("--plain-http")
    return house


def test_every_route_with_every_role(people):
    """The answer to each is what its row says, and what the description says; no route is left out."""
    admin = Browser(people)
    assert admin.log_in("p-admin").status == 201
    routes = admin.ask("").json()["routes"]
    assert {(row["path"], row["method"].lower()) for row in routes} == \
        {(path, method) for path, methods in DESCRIBED["paths"].items() for method in methods}
    values = {"/objects": IDS[0], "/agreements": "agreement--none"}
    for who in (*ROLES, "member", None):
        for row in sorted(routes, key=lambda row: row["method"] == "DELETE"):
            if row["path"] == API + "/session" and row["method"] == "POST":
                continue
            browser = Browser(people)
            if who is not None:
                assert browser.log_in("p-" + who).status == 201
            path = row["path"][len(API):]
            for head, value in values.items():
                if path.startswith(head):
                    path = path.replace("{id}", value)
            answer = browser.ask(path, row["method"], {} if row["method"] == "POST" else None)
            may = who is not None and (who if who != "member" else "analyst") in row["roles"].split(",") and \
                not (who == "member" and row["inside"])
            wanted = (401,) if who is None else (200, 204, 404 if "agreements/" in path else 200) if may else (403,)
            assert answer.status in wanted, (who, row, answer.status, answer.body)
            described(answer, row["method"], row["path"])
    for path in ("/nothing", "/objects/a/b", "/objectsx", "/session/x", "/objects//false"):
        assert admin.ask(path).status == 404, path
    for method in ("PUT", "DELETE"):
        answer = admin.ask("/objects", method, {} if method == "PUT" else None)
        assert answer.status == 405 and answer.headers["Allow"] == "GET"
    for query in ("limit=0", "limit=201", "limit=x", "q=%zz"):
        assert admin.ask("/objects?" + query).status == 400, query


def test_a_session_begins_ends_and_is_no_one_elses(people):
    browser = Browser(people)
    answer = browser.log_in("p-analyst")
    assert answer.status == 201 and browser.csrf not in browser.cookie
    assert {part.strip() for part in browser.set_cookie.split(";")[1:]} == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert browser.ask("/session").json()["roles"] == ["analyst"]
    first = Browser(people)
    first.cookie, first.csrf = browser.cookie, browser.csrf
    assert browser.log_in("p-analyst").status == 201 and browser.cookie != first.cookie
    assert first.ask("/session").status == 401  # the one that came along is over: no fixation
    planted = Browser(people)
    planted.cookie = "entente=" + "0" * 64
    assert planted.ask("/session").status == 401
    assert planted.log_in("p-analyst").status == 201 and "0" * 64 not in planted.cookie
    old = browser.cookie
    assert browser.ask("/session", "DELETE").status == 204
    browser.cookie = old
    assert browser.ask("/session").status == 401
    for bad in ("entente=", "entente=" + "f" * 63, "entente=" + "f" * 5000, "entente"):
        browser.cookie = bad
        assert browser.ask("/session").status == 401
    for body in ({}, {"name": "p-analyst"}, {"name": 1, "password": 2}, [], {"name": "a:b", "password": PASSWORD},
                 {"name": "p-analyst", "password": "x" * 5000}):
        assert browser.ask("/session", "POST", body).status == 400, body


def test_a_session_follows_its_account(people):
    browser = Browser(people)
    for change in (("user", "disable", "p-analyst"), ("user", "password", "p-releaser", "--password-file", "-"),
                   ("user", "remove", "p-reader")):
        assert browser.log_in(change[2]).status == 201
        assert browser.ask("/session").status == 200
        people.run(*change, stdin=b"another long password\n")
        assert browser.ask("/session").status == 401, change
    assert browser.log_in("p-admin").status == 201 and browser.ask("/audit").status == 200
    people.run("user", "roles", "p-admin", "--role", "reader")
    assert browser.ask("/audit").status == 403 and browser.ask("/objects").status == 200


def test_another_sites_page_changes_nothing(people):
    browser = Browser(people)
    browser.log_in("p-analyst")
    path = f"/objects/{IDS[0]}/false"
    entries = len(people.rows("audit"))
    assert browser.ask(path, "POST", {}, csrf=False).status == 403
    other, browser.csrf = browser.csrf, "0" * 64
    assert browser.ask(path, "POST", {}).status == 403
    browser.csrf = other
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert browser.ask(path, "POST", {}, headers=headers).status == 403, headers
        assert browser.ask("/session", "DELETE", headers=headers).status == 403
        assert Browser(people).log_in("p-analyst", headers=headers).status == 403
    assert Browser(people).log_in("p-analyst", content_type="text/plain").status == 403
    assert people.ask(API + path, "POST", b"{}", user=("p-analyst", PASSWORD)).status == 401  # a browser's own memory
    assert len(people.rows("audit")) == entries
    assert browser.ask(path, "POST", {"comment": XSS}, headers={"Origin": people.url}).status == 200
    assert any(row.get("actor") == "p-analyst" for row in people.rows("audit")[entries:])
    assert people.ask(API + path, "POST", b"{}", token=people.token("p-analyst")).status == 200


def test_log_ins_that_fail_wait(people):
    statuses = [Browser(people).log_in("p-analyst", "wrong wrong wrong").status for _ in range(8)]
    assert statuses[0] == 401 and statuses[-1] == 429
    answer = Browser(people).log_in("p-analyst", "wrong wrong wrong")
    assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Set-Cookie"] is None


@pytest.mark.parametrize("who", sorted(set(MAY) - {"public"}))
def test_objects_pass_the_gate(house, who):  # noqa: F811
    house.serve("--plain-http")

    def get(path):
        answer = house.ask(API + path, token=house.tokens[who], accept="*/*")
        assert who in ("own", "person") or SECRET.encode() not in answer.body
        return answer

    wanted = {IDS[i] for i in MAY[who]}
    assert {row["id"] for row in get("/objects?type=indicator").json()["objects"]} == wanted
    for i, ident in enumerate(IDS):
        assert get("/objects/" + ident).status == (200 if i in MAY[who] else 404)
        assert len(get("/objects?q=" + ident).json()["objects"]) == (i in MAY[who])
    situation = get("/situation").json()
    assert {row["id"] for row in situation["newest"] if row["type"] == "indicator"} <= wanted
    assert ("objects" in situation) == (who != "member")
    house.run("collection", "revoke", "open", who, "--read")
    house.run("collection", "revoke", "open", "anonymous", "--read")
    assert get("/objects").json()["objects"] == [] and get("/objects/" + IDS[0]).status == 404


def test_a_redacted_copy_is_not_found_under_what_it_was_made_of(house):  # noqa: F811
    part = indicator(20, object_marking_refs=[CLEAR], description=SECRET,
                     granular_markings=[{"marking_ref": RED, "selectors": ["description"]}])
    house.take([part], "--collection", "open")
    house.serve("--plain-http")
    rows = house.ask(API + "/objects", token=house.tokens["member"], accept="*/*").json()["objects"]
    assert [row["redacted"] for row in rows if row["id"] not in IDS] == [True]
    assert part["id"] not in {row["id"] for row in rows}
    answer = house.ask(API + "/objects/" + part["id"], token=house.tokens["member"], accept="*/*")
    assert answer.status == 404 and SECRET.encode() not in answer.body


def test_hostile_texts_stay_data(people):
    hostile = indicator(40, object_marking_refs=[CLEAR], name=XSS, description=XSS, labels=[XSS])
    people.take([hostile], "--collection", "open", "--check", "lenient")
    browser = Browser(people)
    browser.log_in("p-reader")
    answer = browser.ask("/objects/" + hostile["id"])
    assert answer.json()["object"]["name"] == XSS and answer.headers["Content-Type"] == "application/json"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert [row["title"] for row in browser.ask("/objects?q=198.51.0.40").json()["objects"]] in ([XSS], [])
    assert XSS.encode() not in browser.ask("/objects?q=%3Cscript%3E&limit=%3Cscript%3E").body


def test_the_log_keeps_its_secrets(people):
    admin = Browser(people)
    admin.log_in("p-admin")
    first = admin.ask("/audit?limit=5").json()
    assert len(first["entries"]) == 5 and first["more"]
    assert [row["entry"] for row in first["entries"]] == list(range(first["count"] - 1, first["count"] - 6, -1))
    every = admin.ask("/audit?limit=500").body
    assert b"argon2" not in every and b"hash" not in every
    assert not admin.ask("/audit?before=0").json()["entries"]
    assert "ent_" not in json.dumps(admin.ask("/accounts").json())


def test_partners_and_agreements(pair, tmp_path):  # noqa: F811
    a, b = pair
    _, partner = introduce(pair, tmp_path)
    agreement = agree(pair, tmp_path, partner)
    a.user("reader", PASSWORD, "reader")
    a.serve("--plain-http")
    try:
        browser = Browser(a)
        assert browser.log_in("reader").status == 201
        row, = browser.ask("/partners").json()["partners"]
        assert row["id"] == partner and row["confirmed"]
        one, = browser.ask("/agreements").json()["agreements"]
        assert one["id"] == agreement and one["signed"] and one["state"] == "active"
        whole = browser.ask("/agreements/" + agreement)
        assert whole.json()["document"]["type"] == "entente-agreement"
        described(whole, "GET", API + "/agreements/{id}")
    finally:
        a.stop()


def test_over_tls_the_cookie_is_bound_to_the_host(node):
    node.user("reader", PASSWORD, "reader")
    node.serve()
    browser = Browser(node)
    assert browser.log_in("reader").status == 201
    assert browser.cookie.startswith("__Host-entente=") and "; Secure" in browser.set_cookie
    assert browser.ask("/session").status == 200
