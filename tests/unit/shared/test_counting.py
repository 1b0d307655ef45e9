"""Gauges of a database: counted again and again, seldom where that takes long, and silent where it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from pymongo.errors import AutoReconnect

from shared.wiring import counting


class Clock:
    """Time that passes only where it is told to; after `most` pauses the counting is over."""

    def __init__(self, most: int) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._most = most

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._most:
            raise asyncio.CancelledError


async def counted(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, count: Callable[[], Awaitable[None]], forget: Callable[[], None]
) -> None:
    monkeypatch.setattr(counting, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(counting, "asyncio", SimpleNamespace(sleep=clock.sleep))
    with pytest.raises(asyncio.CancelledError):
        await counting.keep_counting(count, forget)


async def test_what_takes_long_is_counted_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, took = Clock(3), iter((0.1, 2.0, 9.0))

    async def count() -> None:
        clock.now += next(took)

    await counted(monkeypatch, clock, count, lambda: None)
    assert clock.pauses == [counting.EVERY_SECONDS, pytest.approx(40), pytest.approx(180)]


async def test_a_number_that_can_not_be_had_is_forgotten_and_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen = Clock(2), []

    async def count() -> None:
        if not clock.pauses:
            raise AutoReconnect("away")
        seen.append("counted")

    await counted(monkeypatch, clock, count, lambda: seen.append("forgotten"))
    assert seen == ["forgotten", "counted"]
