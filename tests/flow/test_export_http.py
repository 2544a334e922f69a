"""Files for defences over HTTP: who gets what, and what is sent again."""
import json

import pytest
from conftest import indicator
from test_export_to import body
from test_ways_out import IDS, MAY, house  # noqa: F401

TEXT = "*/*"


def get(node, path, who="own", **more):
    return node.ask("/export/" + path, token=node.tokens.get(who), accept=TEXT, **more)


@pytest.mark.parametrize("who", ["member", "own", "person"])
def test_a_token_gets_what_its_account_may_have(house, who):  # noqa: F811
    house.serve()
    rows = get(house, "csv?use=read", who).body.decode().splitlines()[1:]
    assert {row.split(",")[2] for row in rows} == {IDS[i] for i in MAY[who]}
    made = get(house, "stix", who).json()
    assert {row["id"] for row in made["objects"] if row["type"] == "indicator"} == {IDS[i] for i in MAY[who]}


def test_nobody_gets_nothing(house):  # noqa: F811
    house.serve()
    answer = get(house, "list", "public")
    assert answer.status == 401 and "Bearer" in answer.headers["WWW-Authenticate"]
    assert house.ask("/export/list", token="wrong", accept=TEXT).status == 401
    house.run("user", "add", "sensor", "--role", "sensor")
    assert house.ask("/export/list", token=house.token("sensor"), accept=TEXT).status == 403
    assert get(house, "list", method="POST", body=b"").status in (405, 413)
    assert get(house, "nothing").status == 404
    for query in ("only=nothing", "min-confidence=101", "max-tlp=pink", "suricata-version=5", "use=read", "collection=none"):
        assert get(house, "nft?" + query).status == 400, query
    assert {row["name"] for row in get(house, "").json()["formats"]} >= {"list", "rpz", "suricata-ip", "stix"}


def test_an_etag_stands_for_the_same_bytes(house):  # noqa: F811
    house.serve()
    first = get(house, "list")
    assert first.status == 200 and first.headers["Content-Type"].startswith("text/plain")
    etag = first.headers["ETag"]
    again = get(house, "list", headers={"If-None-Match": etag})
    assert again.status == 304 and again.body == b"" and again.headers["ETag"] == etag
    assert get(house, "list", headers={"If-None-Match": '"x", W/' + etag}).status == 304
    assert get(house, "list", headers={"If-None-Match": '"x"'}).body == first.body
    head = get(house, "list", method="HEAD")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", etag)
    exports = len(house.rows("audit", "--kind", "export"))
    for _ in range(3):
        get(house, "list")
        get(house, "nft")
    assert len(house.rows("audit", "--kind", "export")) == exports + 1  # of nft, once
    house.take([indicator(700)], "--collection", "open")
    after = get(house, "list", headers={"If-None-Match": etag})
    assert after.status == 200 and after.headers["ETag"] != etag
    assert "198.51.2.188" in body(after.body.decode())
    row = house.rows("audit", "--kind", "export")[-1]
    assert "own" in json.dumps(row)


def test_rights_that_go_take_the_file_along(house):  # noqa: F811
    house.serve()
    assert body(get(house, "list?only=ipv4", "member").body.decode())
    house.run("collection", "revoke", "open", "member", "--read")
    house.run("collection", "revoke", "open", "anonymous", "--read")
    assert body(get(house, "list?only=ipv4", "member").body.decode()) == []


def test_the_file_is_the_one_of_the_command(house, tmp_path):  # noqa: F811
    house.serve()
    for name in ("list", "rpz", "zeek", "suricata", "elastic"):
        house.run("export", "--to", name, "--as", "own", "--out", tmp_path / name)
        assert get(house, name).body == (tmp_path / name).read_bytes(), name
    packed = get(house, "list", headers={"Accept-Encoding": "gzip"})
    assert packed.headers.get("Content-Encoding") in (None, "gzip")
