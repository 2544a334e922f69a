"""Real processes for the flow tests: a node in a folder of its own, and a server over it.

ENTENTE names the program (tests/flow is run by ./test, which sets it); ENTENTE_DATA the folder of
real material, where there is one.
"""
import json
import os
import pathlib
import random
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TAXII = "application/taxii+json;version=2.1"


def program():
    for candidate in (os.environ.get("ENTENTE"), ROOT / "build-test" / "entente", ROOT / "build" / "entente"):
        if candidate and pathlib.Path(candidate).exists():
            return str(pathlib.Path(candidate).resolve())
    pytest.exit("no entente program: build it, or name it in ENTENTE", 1)


def data_folder():
    for candidate in (os.environ.get("ENTENTE_DATA"), ROOT.parent / "shared" / "data"):
        if candidate and pathlib.Path(candidate).is_dir():
            return pathlib.Path(candidate)
    return None


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Node:
    """One node's folder and what can be done with it from outside."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process, self.url, self.ops = None, None, None

    def run(self, *arguments, stdin=None, check=True, env=None, timeout=300):
        done = subprocess.run(
            [program(), *map(str, arguments), "--folder", str(self.folder)],
            input=stdin, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})})
        done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check:
            assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.out}\n{done.err}"
        return done

    def rows(self, *arguments, **more):
        """A command's --json lines."""
        return [json.loads(line) for line in self.run(*arguments, "--json", **more).out.splitlines()]

    def init(self):
        return self.rows("init", "--listen", "127.0.0.1:0")[0]

    def user(self, name, password, role="analyst"):
        self.run("user", "add", name, "--role", role, "--password-file", "-", stdin=password.encode() + b"\n")

    def token(self, name):
        return self.rows("token", "add", name)[0]["token"]

    def collection(self, title, **options):
        flags = [part for key, value in options.items() for part in (f"--{key}", value)]
        return self.rows("collection", "add", "--title", title, *flags)[0]["id"]

    def take(self, objects, *arguments, **more):
        """Import a list of objects as a bundle."""
        return self.run("import", "-", *arguments, stdin=json.dumps(bundle(objects)).encode(), **more)

    def serve(self, *arguments):
        self.process = subprocess.Popen(
            [program(), "serve", "--json", "--listen", "127.0.0.1:0", "--listen-ops", "127.0.0.1:0",
             *arguments, "--folder", str(self.folder)],
            stdout=subprocess.PIPE, stderr=open(self.folder / "serve.log", "ab"))
        line = self.process.stdout.readline()
        assert line, (self.folder / "serve.log").read_text()
        started = json.loads(line)
        self.url, self.ops = started["url"], started["ops_url"]
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process.stdout.close()
        self.process = None
        return code

    def ask(self, path, method="GET", body=None, headers=None, user=None, token=None, accept=TAXII,
            content_type=None, base=None):
        """One request; a status of 400 and up is an answer like any other."""
        url = path if "://" in path else (base or self.url) + path
        request = urllib.request.Request(url, data=body, method=method)
        if accept is not None:
            request.add_header("Accept", accept)
        if body is not None:
            request.add_header("Content-Type", content_type or TAXII)
        if user is not None:
            import base64
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(user).encode()).decode())
        if token is not None:
            request.add_header("Authorization", "Bearer " + token)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        context = None
        if url.startswith("https"):
            context = ssl.create_default_context(cafile=str(self.folder / "tls" / "certificate.pem"))
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


def bundle(objects):
    return {"type": "bundle", "id": "bundle--4f0a8f6e-6f4b-4d3a-9a43-1f2c6e0c8a11", "objects": objects}


def indicator(number, modified="2026-01-01T00:00:00.000Z", **more):
    """A valid indicator whose id and pattern follow from a number."""
    return {
        "type": "indicator", "spec_version": "2.1",
        "id": "indicator--%08x-0000-4000-8000-%012x" % (number, number),
        "created": "2026-01-01T00:00:00.000Z", "modified": modified, "name": f"indicator {number}",
        "indicator_types": ["malicious-activity"], "pattern_type": "stix",
        "pattern": "[ipv4-addr:value = '198.51.%d.%d']" % (number // 256 % 256, number % 256),
        "valid_from": "2026-01-01T00:00:00Z", **more}


@pytest.fixture
def node(tmp_path):
    """A new node, initialised; stopped at the end when it serves."""
    made = Node(tmp_path / "node")
    made.info = made.init()
    yield made
    if made.process is not None:
        made.stop()


@pytest.fixture
def seed():
    """Random choices come from here; the seed is printed when the test fails."""
    value = int(os.environ.get("SEED", time.time_ns() % 1_000_000_007))
    print(f"SEED={value}")
    return random.Random(value)


@pytest.fixture(scope="session")
def data():
    folder = data_folder()
    if folder is None:
        pytest.skip("no real material here (ENTENTE_DATA)")
    return folder
