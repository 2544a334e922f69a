"""Alerts to SIEMs: syslog servers and webhooks of our own, that refuse and fail."""
import hashlib
import hmac
import http.server
import json
import socket
import threading

import pytest
from conftest import indicator


def eve(number, address):
    return ('{"event_type":"flow","timestamp":"2026-01-0%d:00:00.000000+0000","src_ip":"10.0.0.1","dest_ip":"%s"}\n'
            % (number, address)).replace("-0%d:" % number, "-0%dT00:" % number).encode()


@pytest.fixture
def hit(node):
    node.take([indicator(1, name="a|b=c\nd", confidence=90), indicator(2), indicator(3)])
    node.run("scan", "-", "--report", "--quiet", stdin=eve(1, "198.51.0.1"), check=False)
    return node


def more(node, number, day=2):
    node.run("scan", "-", "--report", "--quiet", stdin=eve(day, f"198.51.0.{number}"), check=False)


def test_syslog_over_udp_and_unix(hit, tmp_path):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.bind(str(tmp_path / "log"))
    for server, target in ((udp, "udp://127.0.0.1:%d" % udp.getsockname()[1]), (unix, f"unix:{tmp_path}/log")):
        server.settimeout(20)
        assert hit.run("alert", "send", target).err == "sent 1 alert, 0 refused\n"
        text = server.recv(65536).decode()
        assert text.startswith("<130>1 2026-01-01T00:00:00.000000Z ") and "CEF:0|Entente|Entente|" in text
        assert "|indicator-hit|a\\|b=c d|9|cnt=1 " in text and text.endswith(" dst=198.51.0.1") and "\n" not in text
        assert hit.run("alert", "send", target).err == "sent 0 alerts, 0 refused\n"
        hit.run("alert", "send", target, "--from-start", "--form", "leef")
        assert "LEEF:2.0|Entente|Entente|" in server.recv(65536).decode()
        server.close()


def test_syslog_over_tcp_is_counted_and_waits_for_the_server(hit):
    server = socket.create_server(("127.0.0.1", 0))
    target = "tcp://127.0.0.1:%d" % server.getsockname()[1]
    more(hit, 2)
    got = []

    def listen():
        with server.accept()[0] as line:
            while data := line.recv(65536):
                got.append(data)
    thread = threading.Thread(target=listen)
    thread.start()
    hit.run("alert", "send", target)
    thread.join(20)
    server.close()
    rest, texts = b"".join(got), []
    while rest:
        count, rest = rest.split(b" ", 1)
        texts.append(rest[:int(count)].decode())
        rest = rest[int(count):]
    assert [text.rsplit("dst=")[1] for text in texts] == ["198.51.0.1", "198.51.0.2"]
    more(hit, 3)
    down = hit.run("alert", "send", target, "--retries", "0", check=False)
    assert down.returncode == 75 and "sent 0 alerts" in down.err and "Connection refused" in down.err
    server = socket.create_server(("127.0.0.1", int(target.rsplit(":", 1)[1])))
    got.clear()
    thread = threading.Thread(target=listen)
    thread.start()
    hit.run("alert", "send", target)
    thread.join(20)
    server.close()
    assert b"".join(got).count(b"CEF:0") == 1 and b"198.51.0.3" in b"".join(got)


class Hook(http.server.BaseHTTPRequestHandler):
    answers, seen = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Hook.seen.append((dict(self.headers), body))
        self.send_response(Hook.answers.pop(0) if Hook.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def hook():
    Hook.answers, Hook.seen = [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d/in" % server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_webhook_is_signed_and_tried_again(hit, hook, tmp_path):
    (tmp_path / "secret").write_text("our key\n")
    Hook.answers = [503, 500, 200]
    hit.run("alert", "send", hook, "--secret-file", tmp_path / "secret")
    assert len(Hook.seen) == 3 and len({body for _, body in Hook.seen}) == 1
    headers, body = Hook.seen[-1]
    signed = headers["X-Entente-Timestamp"].encode() + b"." + body
    assert headers["X-Entente-Signature"] == "sha256=" + hmac.new(b"our key", signed, hashlib.sha256).hexdigest()
    row = json.loads(body)
    assert (row["type"], row["name"], row["count"], row["kind"], row["value"], row["severity"]) == (
        "indicator-hit", "a|b=c\nd", 1, "ipv4", "198.51.0.1", 9)


def test_what_a_webhook_refuses_is_kept_and_sent_again(hit, hook):
    more(hit, 2)
    Hook.answers = [400, 200]
    done = hit.run("alert", "send", hook, check=False)
    assert done.returncode == 4 and "sent 1 alert, 1 refused" in done.err and len(Hook.seen) == 2
    row, = [json.loads(line) for line in hit.run("alert", "list").out.splitlines()]
    assert row["target"] == hook and row["why"].endswith("answers 400") and row["indicator"] == indicator(1)["id"]
    Hook.seen.clear()
    other = hit.run("alert", "send", "udp://127.0.0.1:9", "--refused")
    assert "sent 0" in other.err and len(hit.run("alert", "list").out.splitlines()) == 1
    again = hit.run("alert", "send", hook, "--refused")
    assert again.err == "sent 1 alert, 0 refused\n"
    assert [json.loads(body)["value"] for _, body in Hook.seen] == ["198.51.0.1"]
    assert hit.run("alert", "list").out == ""


def test_targets_that_make_no_sense(hit):
    for target in ("nothing", "udp://", "tcp://host", "unix:", "ftp://x/"):
        assert hit.run("alert", "send", target, "--retries", "0", check=False).returncode in (1, 2, 4), target
    assert hit.run("alert", "send", "-", "--form", "xml", check=False).returncode == 2
    assert hit.run("alert", "send", check=False).returncode == 2
    row = json.loads(hit.run("alert", "send", "-", "--form", "json").out)
    assert row["indicator"] == indicator(1)["id"]
