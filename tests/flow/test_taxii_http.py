"""The TAXII server as others see it: over real connections, with TLS, asked by all sorts of clients."""
import gzip
import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import urllib.parse

import pytest
from conftest import TAXII, indicator

PASSWORD = "correct horse battery"


@pytest.fixture
def served(node):
    """A serving node: user `writer` may read and write `open`, write `drop`; `reader` may read `open`."""
    for name, role in (("writer", "analyst"), ("reader", "reader")):
        node.user(name, PASSWORD, role)
    for alias in ("open", "drop", "secret"):
        node.collection(alias.title(), alias=alias)
    node.run("collection", "grant", "open", "writer", "--read", "--write")
    node.run("collection", "grant", "drop", "writer", "--write")
    node.run("collection", "grant", "open", "reader", "--read")
    return node.serve()


def connect(node):
    url = urllib.parse.urlsplit(node.url)
    context = ssl.create_default_context(cafile=str(node.folder / "tls" / "certificate.pem"))
    return context.wrap_socket(socket.create_connection((url.hostname, url.port)), server_hostname=url.hostname)


def raw(node, text):
    """Send bytes as they are, read until the server closes."""
    with connect(node) as sock:
        sock.sendall(text)
        sock.settimeout(30)
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
            if b"\r\n\r\n" in got and b"Connection: close" not in got:
                break
        return got


def writer(node, path, **more):
    return node.ask(path, user=("writer", PASSWORD), **more)


def post(node, objects, path="/api/collections/open/objects/", **more):
    body = json.dumps({"objects": objects}).encode()
    return writer(node, path, method="POST", body=body, **more)


def test_https_is_the_default(served):
    assert served.url.startswith("https://")
    answer = writer(served, "/taxii2/")
    assert answer.status == 200
    assert answer.json()["default"] == served.url + "/api/" == answer.json()["api_roots"][0]


def test_tls_1_2_and_1_3_are_taken_and_older_are_not(served):
    url = urllib.parse.urlsplit(served.url)
    for version, taken in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                           (ssl.TLSVersion.TLSv1_1, False)):
        context = ssl.create_default_context(cafile=str(served.folder / "tls" / "certificate.pem"))
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        try:
            with context.wrap_socket(socket.create_connection((url.hostname, url.port)),
                                     server_hostname=url.hostname) as sock:
                assert taken and sock.version() == version.name.replace("v1_", "v1.")
        except ssl.SSLError:
            assert not taken


def test_basic_and_bearer_let_in(served):
    token = served.token("reader")
    assert served.ask("/api/collections/open/objects/", token=token).status == 200
    assert served.ask("/api/collections/open/objects/", user=("reader", PASSWORD)).status == 200
    assert served.ask("/api/collections/open/objects/", user=("reader", "wrong")).status == 401
    assert served.ask("/api/collections/open/objects/", token=token[:-1] + "_").status == 401


def test_a_request_needs_no_user_agent(served):
    got = raw(served, b"GET /taxii2/ HTTP/1.1\r\nHost: x\r\nAccept: " + TAXII.encode() + b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("text, status", [
    (b"nonsense\r\n\r\n", 400),
    (b"GET /taxii2/ HTTP/9.9\r\n\r\n", 505),
    (b"GET /taxii2/ HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    (b"GET /taxii2/ HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
    (b"GET /taxii2/ HTTP/1.1\r\nHost: x\r\n\r\n", 401),
    (b"GET /nothing/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"POST /api/collections/open/objects/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 401),
])
def test_every_refusal_is_in_our_media_type(served, text, status):
    got = raw(served, text)
    assert got.split(b" ", 2)[1] == str(status).encode(), got[:200]
    head = got.split(b"\r\n\r\n", 1)[0].lower()
    assert b"content-type: " + TAXII.encode() in head
    if status == 401:
        assert head.count(b"www-authenticate:") == 2


def test_a_path_without_its_slash_is_served_and_never_redirected(served):
    for path in ("/taxii2", "/api", "/api/collections", "/api/collections/open/objects"):
        assert writer(served, path).status == 200
        assert served.ask(path).status == 401


def test_head_says_what_get_would(served):
    post(served, [indicator(i) for i in range(3)])
    got, head = (writer(served, "/api/collections/open/objects/", method=method,
                        headers={"Accept-Encoding": "identity"}) for method in ("GET", "HEAD"))
    assert head.status == 200 and head.body == b""
    for name in ("Content-Type", "Content-Length", "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"):
        assert head.headers[name] == got.headers[name]


def test_methods_are_refused_with_those_that_are_there(served):
    for method in ("PUT", "PATCH", "DELETE", "FROB"):
        answer = writer(served, "/api/collections/open/objects/", method=method)
        assert answer.status in (405, 501) and answer.headers["Content-Type"] == TAXII
        if answer.status == 405:
            assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
        assert answer.json()["http_status"] == str(answer.status)


def test_answers_are_packed_on_request(served):
    post(served, [indicator(i) for i in range(200)])
    plain = writer(served, "/api/collections/open/objects/", headers={"Accept-Encoding": "identity"})
    packed = writer(served, "/api/collections/open/objects/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.body) < len(plain.body) / 2
    assert gzip.decompress(packed.body) == plain.body
    packed = writer(served, "/api/collections/open/objects/", headers={"Accept-Encoding": "zstd, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "zstd"
    unpacked = subprocess.run(["zstd", "-dc"], input=packed.body, capture_output=True, check=True).stdout
    assert unpacked == plain.body


def test_an_object_goes_round_and_is_deleted(served):
    thing = indicator(7, x_own={"deep": [1, 2.50, "é"]})
    answer = post(served, [thing])
    assert answer.status == 202 and answer.json()["status"] == "complete"
    status = writer(served, f"/api/status/{answer.json()['id']}/")
    assert status.status == 200 and status.json() == answer.json()
    assert writer(served, "/api/collections/open/objects/").json()["objects"] == [thing]
    path = f"/api/collections/open/objects/{thing['id']}/"
    gone = writer(served, path, method="DELETE")
    assert gone.status == 200 and gone.body == b"" and gone.headers["Content-Type"] == TAXII
    assert writer(served, path).status == 404
    assert writer(served, "/api/collections/open/objects/").json() == {}


def test_rights_hold_over_the_wire(served):
    reader = ("reader", PASSWORD)
    body = json.dumps({"objects": [indicator(1)]}).encode()
    drop, secret, opened = (f"/api/collections/{alias}/objects/" for alias in ("drop", "secret", "open"))
    assert served.ask(opened, user=reader, method="POST", body=body).status == 403
    assert served.ask(drop, user=reader).status == 404
    assert writer(served, drop).status == 403
    assert writer(served, drop, method="POST", body=body).status == 202
    assert writer(served, secret).status == 404
    assert served.ask(secret).status == 401
    listed = writer(served, "/api/collections/").json()["collections"]
    assert {row["alias"]: (row["can_read"], row["can_write"]) for row in listed} == {
        "open": (True, True), "drop": (False, True)}


def test_rights_taken_away_end_at_once(served):
    post(served, [indicator(i) for i in range(3)])
    page = served.ask("/api/collections/open/objects/?limit=1", user=("reader", PASSWORD)).json()
    served.run("collection", "revoke", "open", "reader", "--read")
    answer = served.ask(f"/api/collections/open/objects/?limit=1&next={page['next']}", user=("reader", PASSWORD))
    assert answer.status == 404


def test_next_survives_a_restart(served):
    post(served, [indicator(i) for i in range(3)])
    page = writer(served, "/api/collections/open/objects/?limit=2").json()
    served.stop()
    served.serve()
    rest = writer(served, f"/api/collections/open/objects/?limit=2&next={page['next']}")
    assert rest.status == 200 and rest.json()["objects"] == [indicator(2)]


def test_a_body_over_the_limit_is_refused_before_it_comes(served):
    root = writer(served, "/api/").json()
    url = urllib.parse.urlsplit(served.url)
    context = ssl.create_default_context(cafile=str(served.folder / "tls" / "certificate.pem"))
    link = http.client.HTTPSConnection(url.hostname, url.port, context=context)
    link.putrequest("POST", "/api/collections/open/objects/")
    for name, value in (("Accept", TAXII), ("Content-Type", TAXII), ("Authorization", "Bearer " + served.token("writer")),
                        ("Content-Length", str(root["max_content_length"] + 1)), ("Expect", "100-continue")):
        link.putheader(name, value)
    link.endheaders()
    answer = link.getresponse()
    assert answer.status == 413 and answer.getheader("Content-Type") == TAXII
    link.close()


@pytest.mark.parametrize("body, content_type, status", [
    (b"", TAXII, 422), (b"{", TAXII, 422), (b"{}", TAXII, 422), (b"[]", TAXII, 422),
    (b'{"objects": []}', TAXII, 422), (b'{"objects":[{}]', TAXII, 422),
    (b"[" * 100_000, TAXII, 422), (b'{"objects":' + b"[" * 100_000 + b"]" * 100_000 + b"}", TAXII, None),
    (b'{"objects":[{}]}', "application/json", 415),
    (b'{"objects":[{}]}', "application/taxii+json;version=2.0", 415),
    (b'{"objects":[{}]}', "application/taxii+json", 202),
    (b'{"objects":[{"type":"indicator","id":7}]}', TAXII, 202),
    (b'{"objects":[{"type":"indicator","name":"\xff"}]}', TAXII, None),
], ids=lambda value: str(value)[:40])
def test_bad_bodies_are_answered_and_harm_nothing(served, body, content_type, status):
    post(served, [indicator(1)])
    answer = writer(served, "/api/collections/open/objects/", method="POST", body=body, content_type=content_type)
    assert answer.status == status if status else answer.status in (202, 422)
    if answer.status == 202:
        assert answer.json()["success_count"] == 0 and answer.json()["failure_count"] == answer.json()["total_count"]
    assert writer(served, "/api/collections/open/objects/").json()["objects"] == [indicator(1)]


def test_a_large_post_is_taken_in_later(served):
    objects = [indicator(i) for i in range(6000)]
    answer = post(served, objects)
    assert answer.status == 202
    status = answer.json()
    assert status["total_count"] == 6000
    for _ in range(200):
        if status["status"] == "complete":
            break
        assert status["pending_count"] == 6000 == len(status["pendings"])
        status = writer(served, f"/api/status/{status['id']}/").json()
    assert status["status"] == "complete" and status["success_count"] == 6000 == len(status["successes"])
    assert len(writer(served, "/api/collections/open/objects/?limit=10000").json()["objects"]) == 6000


def test_a_post_accepted_before_a_stop_is_there_after_it(served):
    answer = post(served, [indicator(i) for i in range(8000)])
    assert answer.status == 202
    assert served.stop() == 0
    served.serve()
    assert len(writer(served, "/api/collections/open/objects/?limit=10000").json()["objects"]) == 8000


def test_the_root_is_shown_only_when_asked_by_those_it_is_for(served):
    for path in ("/taxii2/", "/api/", "/api/collections/", "/api/collections/open/objects/"):
        assert served.ask(path).status == 401
    served.run("collection", "grant", "open", "anonymous", "--read")
    for path in ("/taxii2/", "/api/", "/api/collections/", "/api/collections/open/objects/"):
        assert served.ask(path).status == 200
    assert served.ask("/api/collections/drop/").status == 401
    assert pathlib.Path(served.folder / "next.key").stat().st_mode & 0o077 == 0
