import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.credentials import Credentials, keep_credentials
from deploy.local.private_file import write_private
from deploy.local.record import StackFile
from deploy.local.running import AlreadyRunning, sole_owner, stop_owner
from deploy.local.stack import LocalStack


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_secrets_are_random_private_and_the_same_next_time(tmp_path: Path) -> None:
    file = tmp_path / ".reelway" / "secrets.json"
    first = keep_credentials(file)
    assert keep_credentials(file) == first
    assert first.demo_password != Credentials().demo_password
    assert first.webhook_secret.startswith("whsec_")
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


def test_a_secret_that_a_newer_version_needs_is_added_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    write_private(file, {"demo_password": "mine"})
    assert keep_credentials(file).demo_password == "mine"
    assert set(json.loads(file.read_text())) == set(Credentials.__dataclass_fields__)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    write_private(file, {"a": 1})
    with pytest.raises(TypeError):
        write_private(file, {"a": object()})
    assert json.loads(file.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["stack.json"]


def test_stack_json_has_the_agreed_shape(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    stack = LocalStack(tmp_path, environ={"S3_ENDPOINT": "https://real.example"})
    StackFile(file).write(stack)
    content = json.loads(file.read_text())
    assert mode(file) == 0o600
    assert set(content) == {"services", "engines", "webhookSecret", "adminToken", "demo"}
    assert list(content["services"]) == ["gateway", "generator", "media", "notifier"]
    engines = ["kafka", "gateway-db", "generator-db", "media-db", "notifier-db", "s3", "workflow"]
    assert list(content["engines"]) == engines
    assert all(set(one) == {"url", "pid"} for part in ("services", "engines") for one in content[part].values())
    assert content["engines"]["s3"] == {"url": "https://real.example", "pid": None}
    assert set(content["demo"]) == {"email", "password"}
    StackFile(file).remove()
    assert not file.exists()


def test_only_one_stack_runs_on_a_folder(tmp_path: Path) -> None:
    with sole_owner(tmp_path / "lock"):
        with pytest.raises(AlreadyRunning) as running, sole_owner(tmp_path / "lock"):
            pass
        assert running.value.pid == os.getpid()
    with sole_owner(tmp_path / "lock"):
        pass


def test_stopping_asks_the_owner_and_waits(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert stop_owner(lock, 1) is False
    owner = (
        "import signal, sys, pathlib; from deploy.local.running import sole_owner\n"
        "with sole_owner(pathlib.Path(sys.argv[1])): print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", owner, str(lock)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        assert stop_owner(lock, 10) is True
    assert process.returncode == -signal.SIGTERM
    assert stop_owner(lock, 1) is False, "the lock of a dead owner counts for nothing"


def test_down_asks_nobody_but_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, _: asked.append(pid))
    lock = tmp_path / "lock"
    lock.write_text("4242\n")  # of a stack that was killed; another process may have that number now
    with lock.open() as other, lock.open("a+") as starting:
        fcntl.flock(other, fcntl.LOCK_SH)  # another `down`, which looks at the same time
        assert stop_owner(lock, 1) is False
        fcntl.flock(other, fcntl.LOCK_UN)
        fcntl.flock(starting, fcntl.LOCK_EX)  # a stack that has not written its number yet: 0 would be our own group
        starting.truncate(0)
        with pytest.raises(TimeoutError):
            stop_owner(lock, 0.3)
    assert asked == []
