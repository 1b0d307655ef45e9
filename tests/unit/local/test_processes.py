import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.processes import Child, NotReady, Program, StartFailed

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = "import time; print('up', flush=True); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time;"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True);"
    "time.sleep(60)"
)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator["Run"]:
    children: list[Child] = []

    def make(code: str, **env: str) -> Child:
        async def says_something() -> None:
            if not child.last_lines():
                raise NotReady("it is silent")

        argv = [sys.executable, "-I", "-S", "-c", code]
        program = Program("it", argv, {**os.environ, **env}, tmp_path / "a folder", "http://it", says_something)
        child = Child(program, tmp_path / "logs" / "it.log")
        children.append(child)
        return child

    yield make
    for child in children:
        await child.kill()


Run = Callable[..., Child]


async def test_starts_becomes_ready_and_stops_on_sigterm(run: Run) -> None:
    child = run(POLITE)
    child.start()
    assert await child.wait_ready(10) < 10
    pid = child.pid
    assert pid is not None
    assert os.getsid(pid) == pid, "a Ctrl-C on our terminal must not reach it"
    assert await child.stop() is True
    assert child.exit_code() == -signal.SIGTERM
    assert child.pid is None


async def test_a_signal_to_one_that_ends_just_then_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    child = run("print('up', flush=True)")
    child.start()
    pid = child.pid
    await child.wait_exit()
    looks = iter([None, 0])  # alive at the first look, gone at the second
    monkeypatch.setattr(child, "exit_code", lambda: next(looks))
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    sent: list[tuple[int, int]] = []
    child.pause()
    assert sent == [(pid, signal.SIGSTOP)]


async def test_one_that_ignores_sigterm_is_killed_when_its_time_is_up(run: Run) -> None:
    child = run(STUBBORN)
    child.start()
    await child.wait_ready(10)
    assert await child.stop(grace_seconds=0.2) is False
    assert child.exit_code() == -signal.SIGKILL


async def test_a_paused_one_can_be_stopped(run: Run) -> None:
    child = run(POLITE)
    child.start()
    await child.wait_ready(10)
    child.pause()
    assert await child.stop(grace_seconds=5) is True


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_what_it_started_goes_with_it(run: Run, end: str) -> None:
    child = run(PARENT)
    child.start()
    await child.wait_ready(10)
    grandchild = int(child.last_lines()[0])
    await getattr(child, end)()
    await gone(grandchild)


async def test_what_a_process_that_died_has_started_goes_too(run: Run) -> None:
    child = run(PARENT)
    child.start()
    await child.wait_ready(10)
    grandchild = int(child.last_lines()[0])
    os.kill(child.pid or 0, signal.SIGKILL)
    assert await child.wait_exit() == -signal.SIGKILL
    await gone(grandchild)


async def test_one_that_ends_at_once_is_reported_with_its_last_words(run: Run) -> None:
    child = run("raise SystemExit('the disk is full')")
    child.start()
    await child.wait_exit()  # else its last words might pass for a sign that it is ready
    with pytest.raises(StartFailed, match=r"(?s)exit code 1.*the disk is full.*it\.log"):
        await child.wait_ready(10)


async def test_one_that_never_becomes_ready_is_reported_with_the_reason(run: Run) -> None:
    child = run("import time; time.sleep(60)")
    child.start()
    with pytest.raises(StartFailed, match=r"not ready after 0 s.*it is silent"):
        await child.wait_ready(0.3)


async def test_one_that_never_becomes_ready_says_where_to_look(run: Run) -> None:
    child = run("import time; time.sleep(60)")
    child.program = replace(child.program, hint="Look at the database.")
    child.start()
    with pytest.raises(StartFailed, match=r"Look at the database\.$"):
        await child.wait_ready(0.3)


async def test_started_again_it_has_more_environment_and_only_new_last_lines(run: Run) -> None:
    child = run("import os, time; print(os.environ['WORD'], flush=True); time.sleep(60)", WORD="one")
    child.start()
    await child.wait_ready(10)
    await child.kill()
    child.start({"WORD": "two"})
    await child.wait_ready(10)
    assert child.last_lines() == ["two"]
    assert child.log.read_text() == "one\ntwo\n"


async def test_a_program_that_does_not_exist_fails_with_its_name(run: Run, tmp_path: Path) -> None:
    async def ready() -> None:
        raise NotReady

    child = Child(Program("it", ["/nowhere/it"], {}, tmp_path, "", ready), tmp_path / "it.log")
    child.start()
    with pytest.raises(StartFailed, match="FileNotFoundError"):
        await child.wait_ready(10)


async def gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not alive(pid):
            return
    raise AssertionError(f"process {pid} is still there")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
