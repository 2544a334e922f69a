"""One node pulls from another, and from servers that are slow, broken or odd."""
import http.server
import json
import socket
import threading

import pytest
from conftest import TAXII, Node, indicator


@pytest.fixture
def source(node):
    node.user("partner", "correct horse battery", "reader")
    node.collection("Shared", alias="shared")
    node.run("collection", "grant", "shared", "partner", "--read")
    (node.folder / "secret").write_text(node.token("partner") + "\n")
    return node.serve()


@pytest.fixture
def other(tmp_path):
    made = Node(tmp_path / "other")
    made.init()
    return made


def pull(other, source, *arguments, path="/taxii2/", **more):
    return other.run("pull", source.url + path, "--ca-file", source.folder / "tls" / "certificate.pem",
                     "--token-file", source.folder / "secret", *arguments, **more)


def exported(node):
    return {thing["id"]: thing for thing in json.loads(node.run("export").out)["objects"]}


def test_a_node_pulls_all_of_another(source, other):
    things = [indicator(i) for i in range(250)]
    source.take(things, "--collection", "shared")
    pull(other, source, "--page", "40")
    assert exported(other) == {thing["id"]: thing for thing in things}


def test_a_second_pull_brings_only_what_is_new(source, other):
    source.take([indicator(i) for i in range(30)], "--collection", "shared")
    pull(other, source)
    before = other.rows("status")[0]
    pull(other, source)
    assert other.rows("status")[0]["objects"] == before["objects"] == 30
    source.take([indicator(i) for i in range(30, 35)], "--collection", "shared")
    pull(other, source)
    assert other.rows("status")[0]["objects"] == 35


def test_a_wrong_token_is_refused_in_a_line(source, other):
    (source.folder / "secret").write_text("ent_wrong\n")
    done = pull(other, source, check=False)
    assert done.returncode == 4 and done.err.count("\n") == 1 and "401" in done.err


def test_a_certificate_nobody_vouches_for_is_refused(source, other):
    done = other.run("pull", source.url + "/taxii2/", "--token-file", source.folder / "secret", check=False)
    assert done.returncode != 0 and done.err.count("\n") == 1
    assert other.rows("status")[0]["objects"] == 0


class Odd(http.server.BaseHTTPRequestHandler):
    """A server that breaks off in the middle, asks to be left alone, and dates a whole load alike."""
    protocol_version = "HTTP/1.1"
    things = [indicator(i) for i in range(12)]
    date = "2026-01-01T00:00:00.000Z"

    def log_message(self, *_):
        pass

    def answer(self, status, document, **headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", TAXII)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        server, (path, _, query) = self.server, self.path.partition("?")
        server.asked.append(self.path)
        if path == "/taxii2/":
            return self.answer(200, {"title": "odd", "api_roots": ["/gone/", "/api"]})
        if path == "/gone/collections/":
            return self.answer(404, {"title": "not there"})
        if path == "/api/collections/":
            return self.answer(200, {"collections": [{"id": "c", "title": "Odd", "can_read": True, "can_write": False}]})
        if server.busy > 0:
            server.busy -= 1
            return self.answer(503, {"title": "busy"}, Retry_After="1")
        fields = dict(part.split("=") for part in query.split("&") if part)
        at = int(fields.get("next", "0"))
        if at >= server.breaks_at:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if "added_after" in fields and fields["added_after"].replace("%3A", ":") >= self.date[:-1] + "000Z":
            return self.answer(200, {})
        rest = {"more": True, "next": str(at + 4)} if at + 4 < len(self.things) else {}
        self.answer(200, {**rest, "objects": self.things[at:at + 4]},
                    X_TAXII_Date_Added_First=self.date, X_TAXII_Date_Added_Last=self.date)


@pytest.fixture
def odd():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.asked, server.busy, server.breaks_at = [], 0, 99
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_odd_server_is_pulled_all_the_same(odd, other):
    odd.busy = 2
    done = other.run("pull", odd.url)
    assert "not there" in done.err
    assert len(exported(other)) == 12


def test_a_pull_cut_short_goes_on_and_leaves_nothing_out(odd, other):
    """All objects bear one date: a pull that resumed behind that date would lose the rest."""
    odd.breaks_at = 4
    with (other.folder / "entente.yaml").open("a") as settings:
        settings.write("pull_retries_max: 0\n")
    done = other.run("pull", odd.url, check=False)
    assert done.returncode != 0
    assert len(exported(other)) == 4
    odd.breaks_at = 99
    other.run("pull", odd.url)
    assert len(exported(other)) == 12
