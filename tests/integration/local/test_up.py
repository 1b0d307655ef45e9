"""`python -m deploy.local up` as a process, with stand-ins for the services and no engines: how it starts and ends."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from deploy.local.site import ENGINE_VARIABLES, SERVICES

pytestmark = [pytest.mark.usefixtures("usual_ports"), pytest.mark.timeout(300)]

START_SECONDS = 60
STAND_IN = """\
import http.server, os, signal, sys, time
name = __package__.split(".")[1]
if name in os.environ.get("BROKEN", ""):
    sys.exit("the catalog file is missing")
if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(float(os.environ.get("SLOW", 0)))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ[f"{name.upper()}_PORT"])), Answer).serve_forever()
"""
REPOSITORY = Path(__file__).parents[3]


class Up:
    """A repository of stand-ins in a folder with a space, and the stacks started in it."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.state = repository / ".reelway"
        self.record = self.state / "stack.json"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **environ: str) -> subprocess.Popen[str]:
        real = {variable: "http://127.0.0.1:1" for variables in ENGINE_VARIABLES.values() for variable in variables}
        real |= {f"{name.upper()}_MONGO_URL": "mongodb://127.0.0.1:1" for name in SERVICES}
        real |= {"S3_ACCESS_KEY": "theirs", "S3_SECRET_KEY": "theirs"}
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "up"],
            cwd=self.repository,
            env={**os.environ, **real, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def down(self) -> str:
        command = [sys.executable, "-m", "deploy.local", "down"]
        return subprocess.run(command, cwd=self.repository, capture_output=True, check=True, text=True).stdout

    def run(self, **environ: str) -> tuple[str, str]:
        """Start and stop once; return the gateway's address and what was shown."""
        process = self.start(**environ)
        url = str(self.wait_up()["services"]["gateway"]["url"])
        process.terminate()
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out
        return url, out

    def wait_up(self) -> dict[str, dict[str, dict[str, int]]]:
        last = self.started[-1]
        eventually(lambda: self.record.exists() or last.poll() is not None, START_SECONDS)
        assert self.record.exists(), last.stdout.read() if last.stdout else ""
        content: dict[str, dict[str, dict[str, int]]] = json.loads(self.record.read_text())
        return content

    def pids(self) -> list[int]:
        return [one["pid"] for one in self.wait_up()["services"].values()]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    repository = tmp_path / "my clone"
    for folder in ("deploy", "services", "shared"):
        shutil.copytree(REPOSITORY / folder, repository / folder)
    for name in SERVICES:
        (repository / "services" / name / "__main__.py").write_text(STAND_IN)
    up = Up(repository)
    yield up
    for process in up.started:
        process.kill()
        process.communicate()


def test_it_starts_says_where_and_stops_on_sigterm(up: Up) -> None:
    process = up.start()
    content = up.wait_up()
    assert up.record.stat().st_mode & 0o777 == 0o600
    pids = up.pids()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert str(content["services"]["gateway"]["url"]) in out
    assert str(content["demo"]["password"]) in out
    assert "Reelway is stopped" in out
    assert not up.record.exists()
    assert not any(map(alive, pids))


def test_the_second_run_has_the_same_ports_and_secrets(up: Up) -> None:
    seen = []
    for _ in range(2):
        process = up.start()
        content = up.wait_up()
        seen.append((content["demo"], [one["url"] for one in content["services"].values()]))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert seen[0] == seen[1]


def test_a_taken_port_is_avoided_and_shown_and_what_took_its_place_is_kept(up: Up) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else holds it, which will do
            other.bind(("127.0.0.1", 8080))
            other.listen()
        url, out = up.run()
    port = url.rpartition(":")[2]
    assert port != "8080"
    assert f"gateway on {port} (8080 is taken)" in out
    again, out = up.run()  # 8080 may be free now, but unfinished videos know the other one
    assert again == url
    assert f"gateway on {port} (as last time)" in out


def test_a_gateway_that_could_not_come_back_to_its_port_is_told_of(up: Up) -> None:
    port = free_port()
    up.run(GATEWAY_PORT=str(port))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        url, out = up.run()
    assert f"gateway on {url.rpartition(':')[2]} ({port}, as last time, is taken)" in out, "also on its usual port"


def test_a_port_fixed_by_hand_is_taken_and_not_said_to_be_a_replacement(up: Up) -> None:
    port = free_port()
    url, out = up.run(GATEWAY_PORT=str(port))
    assert url == f"http://127.0.0.1:{port}"
    assert f"gateway on {port} (GATEWAY_PORT)" in out
    assert "8080 is taken" not in out
    other = free_port()
    assert up.run(GATEWAY_PORT=str(other))[0] == f"http://127.0.0.1:{other}", "it wins over the last one"


def test_every_wrong_setting_is_told_in_a_sentence_and_nothing_starts(up: Up) -> None:
    process = up.start(GATEWAY_PORT="abc", LOG_LEVEL="bogus", VIDEO_QUOTA="-1", WEBHOOK_SECRETS="whsec_geheim!")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out.splitlines() == [
        "Reelway did not start. What is wrong in the environment:",
        "LOG_LEVEL must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', not 'bogus'.",
        "GATEWAY_PORT must be a whole number, not 'abc'.",
        "WEBHOOK_SECRETS: a secret that starts with whsec_ must go on in base64.",
        "VIDEO_QUOTA must be 0 or more, not '-1'.",
    ]
    assert not (up.state / "logs").exists()


def test_a_second_start_says_that_one_runs_and_how_to_stop_it(up: Up) -> None:
    up.start()
    up.wait_up()
    second = up.start()
    out, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"process {up.started[0].pid}" in out
    assert "make down" in out
    assert up.record.exists()


def test_stopped_in_the_middle_of_starting_it_leaves_nothing(up: Up) -> None:
    process = up.start(SLOW="30")
    eventually(lambda: len(children(process.pid)) == len(SERVICES))
    pids = children(process.pid)
    process.terminate()
    assert process.wait(30) == 0
    assert not any(map(alive, pids))
    assert not up.record.exists()


def test_a_second_ctrl_c_waits_for_nobody(up: Up) -> None:
    process = up.start(STUBBORN="yes")
    pids = up.pids()
    process.send_signal(signal.SIGINT)
    eventually(lambda: not up.record.exists())
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert not any(map(alive, pids))


def test_killed_it_leaves_no_process_behind_and_starts_again(up: Up) -> None:
    process = up.start()
    pids = up.pids()
    process.kill()
    process.wait()
    eventually(lambda: not any(map(alive, pids)))
    assert up.record.exists(), "the file of a stack that could not tidy up"
    process = up.start()
    eventually(lambda: up.record.exists() and not set(up.pids()) & set(pids))
    process.terminate()
    assert process.wait(30) == 0


def test_one_that_was_killed_is_tidied_up_after_by_down(up: Up) -> None:
    process = up.start()
    pids = up.pids()
    process.kill()
    process.wait()
    eventually(lambda: not any(map(alive, pids)))
    assert up.down() == "Reelway is not running.\n"
    assert not up.record.exists()
    assert up.down() == "Reelway is not running.\n"


def test_down_stops_one_that_runs(up: Up) -> None:
    process = up.start()
    pids = up.pids()
    assert up.down() == "Reelway is stopped.\n"
    assert process.wait(10) == 0
    assert not up.record.exists()
    assert not any(map(alive, pids))


def test_one_that_does_not_start_is_shown_with_its_last_words_and_ends_all(up: Up) -> None:
    process = up.start(BROKEN="media")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "media ended with exit code 1" in out
    assert "the catalog file is missing" in out
    assert str(up.state / "logs" / "media.log") in out
    assert not up.record.exists()


def test_one_that_dies_comes_back_on_its_port_and_the_file_says_so(up: Up) -> None:
    process = up.start()
    before = up.wait_up()["services"]["media"]
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: up.wait_up()["services"]["media"]["pid"] not in (before["pid"], None))
    assert up.wait_up()["services"]["media"]["url"] == before["url"]
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert "SIGKILL; starting it again" in out


def test_a_port_fixed_by_hand_that_is_taken_is_refused(up: Up) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]
        process = up.start(MEDIA_PORT=str(port))
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"port {port}, set for media, is in use" in out


def test_nothing_is_shown_to_anyone_else(up: Up) -> None:
    up.start()
    up.wait_up()
    assert up.state.stat().st_mode & 0o777 == 0o700
    assert (up.state / "secrets.json").stat().st_mode & 0o777 == 0o600


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.1)
