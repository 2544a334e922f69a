"""Killed, out of room, shared, without rights, reloaded: what was acknowledged is there, the rest wholly absent."""
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
import urllib.error

import pytest
from conftest import TAXII, Node, bundle, indicator, program

PASSWORD = "correct horse battery"
OBJECTS = "/api/collections/open/objects/"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="wants root")


def ready(node):
    node.user("writer", PASSWORD)
    node.collection("Open", alias="open")
    node.run("collection", "grant", "open", "writer", "--read", "--write")
    node.writer = node.token("writer")
    return node


@pytest.fixture
def served(node):
    return ready(node).serve()


def get(node, path=OBJECTS, **more):
    return node.ask(path, token=node.writer, **more)


def post(node, objects):
    body = json.dumps({"objects": objects}).encode()
    return node.ask(OBJECTS, method="POST", body=body, token=node.writer)


def one_line(done, code):
    assert done.returncode == code, (done.returncode, done.out, done.err)
    assert len(done.err.splitlines()) == 1 and done.err.startswith("entente: "), done.err
    return done.err


def whole_count(node):
    """Every object is readable, the tables are what the log says; how many objects there are."""
    row = node.rows("status", "--check")[0]
    assert row["broken"] == 0, row
    again = node.rows("rebuild")[0]
    assert again["same"] is True and again["state_sha256"] == row["state_sha256"]
    return row["objects"]


def logged(node, event, count=1, seconds=20):
    """Wait until the server's log tells of an event so many times."""
    for _ in range(seconds * 50):
        lines = [line for line in (node.folder / "serve.log").read_text().splitlines() if event in line]
        if len(lines) >= count:
            return lines[-1]
        time.sleep(0.02)
    raise AssertionError(f"no {event}:\n" + (node.folder / "serve.log").read_text())


# ---- kill -9 ----

def test_an_import_that_is_killed_is_wholly_there_or_wholly_absent(node, tmp_path, seed):
    batch = 3000
    held = 0
    for turn in range(6):
        path = tmp_path / f"{turn}.json"
        path.write_text(json.dumps(bundle([indicator(held + n) for n in range(batch)])))
        start = time.monotonic()
        process = subprocess.Popen([program(), "import", str(path), "--folder", str(node.folder)],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if turn == 0:
            acknowledged = process.communicate()[0]
            span = time.monotonic() - start
        else:
            time.sleep(seed.uniform(0, span * 1.1))
            process.kill()
            acknowledged = process.communicate()[0]
        count = whole_count(node)
        assert count in (held, held + batch)
        assert count == held + batch or b"took" not in acknowledged
        held = count
    assert f"took {batch} objects" in node.take([indicator(held + n) for n in range(batch)]).out
    assert whole_count(node) == held + batch


def test_an_import_killed_while_its_input_still_comes_leaves_nothing(node):
    node.take([indicator(1)])
    process = subprocess.Popen([program(), "import", "-", "--folder", str(node.folder)],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    text = json.dumps(bundle([indicator(n) for n in range(2, 5000)])).encode()
    process.stdin.write(text[:-2])
    process.stdin.flush()
    time.sleep(0.3)
    process.kill()
    process.wait()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert whole_count(node) == 1
    node.take([indicator(2)])
    assert whole_count(node) == 2


def test_what_a_killed_server_acknowledged_is_there(served, seed):
    acknowledged, tried = set(), set()
    for turn in range(3):
        stop = threading.Event()

        def writes(writer):
            number = (turn * 10 + writer) * 1_000_000
            with contextlib.suppress(OSError, urllib.error.URLError):
                while not stop.is_set():
                    run = [indicator(number + n) for n in range(20)]
                    tried.update(thing["id"] for thing in run)
                    answer = post(served, run)
                    if answer.status == 202 and answer.json()["status"] == "complete":
                        acknowledged.update(thing["id"] for thing in run)
                    number += 20

        threads = [threading.Thread(target=writes, args=(writer,)) for writer in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(seed.uniform(0.2, 1))
        served.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        count = whole_count(served)
        found = {thing["id"] for thing in json.loads(served.run("export").out)["objects"]} if count else set()
        assert acknowledged <= found <= tried and len(found) == count and count % 20 == 0
        served.serve()
    assert acknowledged
    assert post(served, [indicator(7)]).status == 202


def test_sigterm_in_the_middle_of_downloads_is_a_clean_stop(served):
    post(served, [indicator(n, description="long " * 2000) for n in range(400)])
    statuses, stop = [], threading.Event()

    def reads():
        with contextlib.suppress(OSError, urllib.error.URLError):
            while not stop.is_set():
                answer = get(served, OBJECTS + "?limit=400")
                statuses.append((answer.status, len(answer.json()["objects"])))

    threads = [threading.Thread(target=reads) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(statuses) < 4:
        time.sleep(0.02)
    assert served.stop() == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {(200, 400)}
    assert "serve.stopped" in (served.folder / "serve.log").read_text()
    assert whole_count(served) == 400


# ---- out of room ----

@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that is soon full."""
    if os.geteuid() != 0:
        pytest.skip("wants root")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)],
                      capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place, leave):
    """Leave so many bytes of the file system."""
    with open(place / "filler", "wb") as filler:
        about = os.statvfs(place)
        filler.write(b"x" * max(0, about.f_bavail * about.f_frsize - leave))


def test_a_full_disk_stops_an_import_whole_and_more_room_lets_it_through(small_disk):
    node = Node(small_disk / "node")
    node.init()
    node.take([indicator(n) for n in range(100)])
    big = [indicator(1000 + n, description="filling " * 500) for n in range(4000)]
    for leave in (0, 100_000, 1_000_000, 4_000_000):
        fill(small_disk, leave)
        done = node.take(big, check=False)
        assert "No space left" in one_line(done, 75)
        assert node.rows("status", "--check")[0]["objects"] == 100
        assert len(json.loads(node.run("export").out)["objects"]) == 100
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert "took 4000 objects" in node.take(big).out
    assert whole_count(node) == 4100


def test_a_server_on_a_full_disk_goes_on_serving(small_disk):
    node = ready_on(small_disk)
    try:
        assert post(node, [indicator(n) for n in range(50)]).status == 202
        fill(small_disk, 0)
        answer = post(node, [indicator(1000 + n, description="filling " * 200) for n in range(1000)])
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
        assert len(get(node).json()["objects"]) == 50
        (small_disk / "filler").unlink()
        assert post(node, [indicator(2000)]).json()["success_count"] == 1
        assert len(get(node).json()["objects"]) == 51
    finally:
        assert node.stop() == 0
    assert whole_count(node) == 51


def ready_on(place):
    node = Node(place / "node")
    node.init()
    return ready(node).serve()


# ---- sharing, rights ----

def test_a_second_server_on_the_folder_is_turned_away(served):
    done = served.run("serve", "--listen", "127.0.0.1:0", "--listen-ops", "127.0.0.1:0", check=False, timeout=30)
    assert str(served.process.pid) in one_line(done, 75)
    assert get(served).status == 200
    served.stop(signal.SIGKILL)
    served.serve()
    assert get(served).status == 200


def test_imports_at_once_take_turns(node):
    processes = []
    for turn in range(4):
        text = json.dumps(bundle([indicator(turn * 1000 + n) for n in range(500)])).encode()
        process = subprocess.Popen([program(), "import", "-", "-q", "--folder", str(node.folder)],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        processes.append(process)
        process.stdin.write(text)
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 4
    assert whole_count(node) == 2000


@root_only
def test_a_folder_without_rights_is_told_in_a_line(node, tmp_path):
    def as_nobody(*arguments):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", program(),
                               *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd="/")
        done.out, done.err = done.stdout, done.stderr
        return done

    if as_nobody("version").returncode != 0:
        pytest.skip("the program cannot be read by others here")
    for place in (tmp_path, *tmp_path.parents):
        if not place.stat().st_mode & 0o001:
            place.chmod(0o711)
    node.take([indicator(1)])
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    for arguments in (["status", "--folder", node.folder], ["import", "/dev/null", "--folder", node.folder],
                      ["serve", "--folder", node.folder], ["search", "x", "--folder", node.folder],
                      ["init", "--folder", shut / "new"], ["status", "--folder", shut / "new"]):
        done = as_nobody(*arguments)
        assert done.returncode not in (0, 2) and done.returncode > 0, (arguments, done)
        assert len(done.err.splitlines()) == 1 and "ermission denied" in done.err, (arguments, done.err)
        assert done.out == ""
    # A folder that may be read and not written: looking works or is refused in a line, changing is refused.
    for path in [node.folder, *node.folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for arguments in (["import", "-"], ["collection", "add", "--title", "x"], ["serve"]):
        done = as_nobody(*arguments, "--folder", node.folder)
        assert done.returncode > 0 and len(done.err.splitlines()) == 1, (arguments, done)
    assert whole_count(node) == 1


def test_a_lost_part_is_named_and_no_new_node_advised(node):
    node.take([indicator(1)])
    (node.folder / "directory").rename(node.folder.parent / "directory")
    for arguments in (["status"], ["export"], ["import", "/dev/null"]):
        done = node.run(*arguments, check=False)
        assert "directory" in one_line(done, 3) and "init" not in done.err
    (node.folder.parent / "directory").rename(node.folder / "directory")
    assert whole_count(node) == 1


# ---- reloading ----

def test_broken_settings_and_certificates_leave_the_old_ones_in_force(served):
    settings = served.folder / "entente.yaml"
    good = settings.read_text()
    certificate = (served.folder / "tls" / "certificate.pem").read_bytes()
    for text in ("taxii_page_objects: 0\n", "tilte: x\n", "title: [\n", "taxii_page_objects: 1\nlisten: nowhere\n",
                 "title: \xff\n", "tls_certificate_file: /nowhere.pem\ntls_key_file: /nowhere.key\n",
                 f"tls_certificate_file: {settings}\ntls_key_file: {settings}\n"):
        settings.write_text(text, encoding="latin-1")
        served.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert get(served, "/taxii2/").json()["title"] == "Entente", text
    for spoiled in (b"", b"-----BEGIN CERTIFICATE-----\nnonsense\n", certificate[:-200]):
        (served.folder / "tls" / "certificate.pem").write_bytes(spoiled)
        settings.write_text(good.replace("Entente", "never"))
        served.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        (served.folder / "tls" / "certificate.pem").write_bytes(certificate)
        assert get(served, "/taxii2/").json()["title"] == "Entente"
    log = (served.folder / "serve.log").read_text()
    assert "config.reload_failed" in log and "config.reloaded" not in log
    settings.write_text("title: Renamed\ntaxii_page_objects: 2\n")
    served.process.send_signal(signal.SIGHUP)
    logged(served, "config.reloaded")
    assert get(served, "/taxii2/").json()["title"] == "Renamed"
    post(served, [indicator(n) for n in range(5)])
    assert len(get(served).json()["objects"]) == 2


def test_reloads_under_load_disturb_nobody(served):
    post(served, [indicator(n) for n in range(50)])
    bad, stop = [], threading.Event()

    def reads():
        while not stop.is_set():
            answer = get(served, "/taxii2/")
            if answer.status != 200 or answer.json()["title"] not in ("Entente", "a" * 50, "b" * 50):
                bad.append((answer.status, answer.body))

    threads = [threading.Thread(target=reads) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        (served.folder / "entente.yaml").write_text(f"title: {'ab'[turn % 2] * 50}\n")
        served.process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert served.stop() == 0


# ---- a running server and the command line beside it ----

def test_what_the_command_line_changes_shows_at_once(served):
    other = served.token("writer")
    listed = served.rows("token", "list")
    assert served.ask(OBJECTS, token=other).status == 200
    served.run("token", "remove", next(row["id"] for row in listed if other.startswith("ent_" + row["id"])))
    assert served.ask(OBJECTS, token=other).status == 401
    assert get(served).status == 200

    assert served.ask(OBJECTS, user=("writer", PASSWORD)).status == 200
    served.run("user", "disable", "writer")
    assert served.ask(OBJECTS, user=("writer", PASSWORD)).status == 401
    assert get(served).status == 401 and post(served, [indicator(1)]).status == 401
    served.run("user", "enable", "writer")
    assert get(served).status == 200

    served.take([indicator(1), indicator(2)], "--collection", "open")
    assert [thing["id"] for thing in get(served).json()["objects"]] == [indicator(n)["id"] for n in (1, 2)]
    served.run("user", "password", "writer", "--password-file", "-", stdin=b"another horse battery\n")
    assert served.ask(OBJECTS, user=("writer", PASSWORD)).status == 401
    assert served.ask(OBJECTS, user=("writer", "another horse battery")).status == 200

    served.run("user", "remove", "writer")
    assert get(served).status == 401
    assert served.ask(OBJECTS, user=("writer", "another horse battery")).status == 401


def test_a_collection_goes_when_it_is_empty_and_only_then(served):
    served.take([indicator(1)], "--collection", "open")
    done = served.run("collection", "remove", "open", check=False)
    assert "holds objects" in one_line(done, 1)
    assert get(served).status == 200
    served.run("remove", indicator(1)["id"], "--collection", "open")
    served.run("collection", "remove", "open")
    assert get(served).status == 404
    assert post(served, [indicator(1)]).status == 404
    assert get(served, "/api/collections/").json().get("collections", []) == []
    served.collection("Open", alias="open")
    assert get(served).status == 404  # a new one: nobody has rights on it yet
    assert whole_count(served) == 0


def test_removed_objects_are_on_no_page_any_more(served):
    post(served, [indicator(n) for n in range(20)])
    page = get(served, OBJECTS + "?limit=5").json()
    gone = [indicator(n)["id"] for n in (2, 5, 6, 19)]
    served.run("remove", *gone, "--collection", "open")
    found = [thing["id"] for thing in page["objects"]]
    while page.get("more"):
        page = get(served, OBJECTS + f"?limit=5&next={page['next']}").json()
        found += [thing["id"] for thing in page["objects"]]
    assert found == [indicator(n)["id"] for n in range(20) if n not in (5, 6, 19)]
    for path in (OBJECTS, OBJECTS.replace("objects", "manifest")):
        rest = [thing["id"] for thing in get(served, path + "?match[version]=all").json()["objects"]]
        assert rest == [indicator(n)["id"] for n in range(20) if indicator(n)["id"] not in gone]
    for name in gone:
        assert get(served, OBJECTS + name + "/").status == 404
        assert served.run("show", name, check=False).returncode == 3
    assert not any(name in served.run("export").out for name in gone)
    assert post(served, [indicator(2)]).json()["success_count"] == 1
    assert get(served).json()["objects"][-1] == indicator(2)
    assert whole_count(served) == 17


def test_a_post_during_a_long_import_is_answered_and_done_later(served):
    feed = subprocess.Popen([program(), "import", "-", "--folder", str(served.folder)],
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    feed.stdin.write(b'{"type":"bundle","objects":[')
    feed.stdin.flush()
    time.sleep(0.5)
    answers = [post(served, [indicator(n)]) for n in range(3)]
    assert [answer.json()["status"] for answer in answers] == ["pending"] * 3
    assert get(served).status == 200
    served.run("user", "add", "someone", "--password-file", "-", stdin=PASSWORD.encode() + b"\n", timeout=20)
    feed.stdin.write(json.dumps(indicator(100)).encode() + b"]}")
    feed.stdin.close()
    assert feed.wait() == 0
    for _ in range(500):
        status = get(served, f"/api/status/{answers[-1].json()['id']}/").json()
        if status["status"] == "complete":
            break
        time.sleep(0.02)
    assert status["success_count"] == 1
    assert len(get(served).json()["objects"]) == 3
