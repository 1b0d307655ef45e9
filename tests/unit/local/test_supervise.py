import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from deploy.local import supervise
from deploy.local.processes import Child, NotReady, Program
from deploy.local.stack import LocalStack


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[LocalStack]:
    """A stack whose only process is a stand-in that counts its own starts."""

    async def ready() -> None:
        if not child.last_lines():
            raise NotReady

    stack = LocalStack(tmp_path, services=(), engines=())
    code = "import time; print('up', flush=True); time.sleep(60)"
    child = Child(Program("it", [sys.executable, "-I", "-S", "-c", code], {}, tmp_path, "", ready), tmp_path / "it.log")
    stack.children["it"] = child
    child.start()
    await child.wait_ready(10)
    yield stack
    await child.kill()


async def test_a_process_that_dies_is_started_again_and_told_of(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "FIRST_PAUSE_SECONDS", 0.1)
    told: list[tuple[str, str, str]] = []
    pids: list[int | None] = []
    keeping = asyncio.create_task(
        supervise.keep_running(
            stack, lambda name, state, detail: told.append((name, state, detail)), lambda: pids.append(stack.pid("it"))
        )
    )
    first = stack.pid("it")
    for restarts in (1, 2):
        os.kill(stack.pid("it") or 0, signal.SIGKILL)
        await eventually(partial(told_ready, told, restarts))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert [state for _, state, _ in told] == ["died", "ready"] * 2
    assert "SIGKILL; starting it again in 0.1 s" in told[0][2]
    assert "in 0.2 s" in told[2][2], "ever more patiently"
    assert len({first, *pids}) == 3


def told_ready(told: list[tuple[str, str, str]], times: int) -> bool:
    return [state for _, state, _ in told].count("ready") == times


async def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
