"""What holds a service's loops together, where no engine is needed to see it."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.wiring.runtime import Runtime
from shared.wiring.serve import BROKEN
from shared.wiring.settings import CommonSettings

Loop = Callable[[], Coroutine[Any, Any, None]]


async def _breaks() -> None:
    raise ValueError("broken")


async def _cancels_itself() -> None:
    raise asyncio.CancelledError


async def _ends() -> None:
    return


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    return signals


@pytest.mark.parametrize("loop", [_breaks, _cancels_itself])
async def test_a_loop_that_ends_by_itself_ends_the_process(loop: Loop, told: list[tuple[int, int]]) -> None:
    runtime = Runtime("media", CommonSettings(), "mongodb://127.0.0.1:1/none")
    await asyncio.wait({runtime._start(loop())})
    await asyncio.sleep(0)
    assert told == [(os.getpid(), BROKEN)]
    assert runtime.health.stopping


@pytest.mark.parametrize("loop", [_breaks, _cancels_itself])
async def test_at_the_stop_loops_end_as_they_like(loop: Loop, told: list[tuple[int, int]]) -> None:
    runtime = Runtime("media", CommonSettings(), "mongodb://127.0.0.1:1/none")
    runtime.say_stopping()
    await asyncio.wait({runtime._start(loop())})
    await asyncio.sleep(0)
    assert told == []


async def test_a_loop_that_is_done_is_no_reason_to_stop(told: list[tuple[int, int]]) -> None:
    runtime = Runtime("media", CommonSettings(), "mongodb://127.0.0.1:1/none")
    await asyncio.wait({runtime._start(_ends())})
    await asyncio.sleep(0)
    assert told == []
