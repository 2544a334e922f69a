"""A running node reads telemetry by itself: files, folders and sockets that its settings name."""
import json
import os
import socket
import time

from conftest import indicator
from test_serve_detect import WAIT_S, eve


def settings(node, **lines):
    path = node.folder / "entente.yaml"
    before = path.read_text() if path.exists() else ""
    path.write_text(before + "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items()))


def counted(node, number):
    return sum(row["count"] for row in node.rows("sighting", "list") if row["indicator"] == indicator(number)["id"])


def sightings(node, number, wanted):
    deadline = time.monotonic() + WAIT_S
    while counted(node, number) != wanted:
        assert time.monotonic() < deadline, (counted(node, number), (node.folder / "serve.log").read_text())
        time.sleep(0.05)


def add(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def test_files_and_folders_are_followed_over_restarts(node, tmp_path):
    node.take([indicator(7), indicator(8), indicator(9)])
    logs, one = tmp_path / "logs", tmp_path / "one.json"
    logs.mkdir()
    one.write_text(eve("198.51.0.7", -3))
    (logs / "eve.json").write_text(eve("198.51.0.8", -3))
    settings(node, telemetry_follow=f"{one}; {logs}")
    node.serve()
    sightings(node, 7, 1)
    sightings(node, 8, 1)
    add(one, "{broken\n" + eve("198.51.0.7", -2))
    (logs / "other.json").write_text(eve("198.51.0.9", -2))
    sightings(node, 7, 2)
    sightings(node, 9, 1)
    os.rename(one, tmp_path / "one.json.1")
    os.rename(logs / "eve.json", logs / "eve.json.1")
    one.write_text(eve("198.51.0.7", -1))
    (logs / "eve.json").write_text(eve("198.51.0.8", -1))
    sightings(node, 7, 3)
    sightings(node, 8, 2)
    assert node.stop() == 0
    log = (node.folder / "serve.log").read_text()
    assert "telemetry.broken" in log and str(one) in log
    kept = (node.folder / "telemetry.json").read_text()
    assert str(one) in kept and str(logs / "eve.json") in kept
    # Lines of the same text count again only when they are new: a restart must not read the old ones.
    add(one, eve("198.51.0.7"))
    node.serve()
    sightings(node, 7, 4)
    assert counted(node, 8) == 2
    assert node.stop() == 0
    assert "lines=1 " not in (node.folder / "serve.log").read_text().split("telemetry.broken")[-1].split("serve.started")[-1]


def test_a_socket_takes_slow_lines(node, tmp_path):
    node.take([indicator(7)])
    path = tmp_path / "eve.sock"
    settings(node, telemetry_listen=str(path))
    node.serve()
    line = eve("198.51.0.7").encode()
    with socket.socket(socket.AF_UNIX) as client, socket.socket(socket.AF_UNIX) as other:
        client.connect(str(path))
        other.connect(str(path))
        client.sendall(line[:20])
        other.sendall(eve("198.51.0.7", 1).encode())
        sightings(node, 7, 1)
        client.sendall(line[20:])
        sightings(node, 7, 2)
    assert node.stop() == 0
    assert not path.exists()


def test_columns_are_known_after_a_restart(node, tmp_path):
    node.take([indicator(7)])
    log = tmp_path / "conn.log"
    log.write_text("#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n"
                   f"{time.time() - 5:.6f}\tC1\t192.0.2.1\t40000\t198.51.0.7\t443\n")
    settings(node, telemetry_follow=str(log))
    node.serve()
    sightings(node, 7, 1)
    node.stop()
    add(log, f"{time.time() - 4:.6f}\tC2\t192.0.2.1\t40000\t198.51.0.7\t443\n")
    node.serve()
    sightings(node, 7, 2)


def test_what_cannot_be_listened_on_stops_the_start(node):
    settings(node, telemetry_listen="/nowhere/at/all/eve.sock")
    done = node.run("serve", "--listen", "127.0.0.1:0", "--listen-ops", "127.0.0.1:0", check=False)
    assert done.returncode == 3 and "entente: telemetry: unix:/nowhere/at/all/eve.sock: No such file" in done.err
