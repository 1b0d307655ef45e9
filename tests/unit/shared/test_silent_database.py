"""When a database client counts as silent: others are answered all the while, and it is not."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from shared.wiring import mongo
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import SILENT_SECONDS, WATCH_SECONDS, Mongo, SilentClientError

Answers = Callable[[float], bool]
OUTAGE_SECONDS, RECOVERY_SECONDS, END_SECONDS = 3 * SILENT_SECONDS, SILENT_SECONDS / 2, 10 * SILENT_SECONDS


class Watched:
    """A watch over a database that answers `own` client and `others` as these say; its pauses alone take time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, own: Answers, others: Answers) -> None:
        self.now = 0.0
        self._mongo = Mongo("mongodb://127.0.0.1:1/", "media", Metrics())
        self._own, self._others = own, others
        monkeypatch.setattr(mongo, "_answers", self._answers)
        monkeypatch.setattr(mongo, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(mongo, "asyncio", SimpleNamespace(sleep=self._sleep))

    async def run(self) -> None:
        """Watch for END_SECONDS."""
        try:
            await self._mongo.watch()
        except asyncio.CancelledError:
            assert self.now > END_SECONDS
        finally:
            await self._mongo.close()

    async def _answers(self, client: object) -> bool:
        return (self._own if client is self._mongo.client else self._others)(self.now)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > END_SECONDS:
            raise asyncio.CancelledError


async def test_a_client_that_alone_gets_no_answer_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, own=lambda now: now < 60, others=lambda _: True)
    with pytest.raises(SilentClientError):
        await watched.run()
    assert SILENT_SECONDS < watched.now - 60 <= SILENT_SECONDS + 2 * WATCH_SECONDS


async def test_after_an_outage_every_client_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new client may be the first that hears of a database which is back: that tells nothing of the old one."""
    back = OUTAGE_SECONDS + RECOVERY_SECONDS
    await Watched(monkeypatch, own=lambda now: now > back, others=lambda now: now > OUTAGE_SECONDS).run()


async def test_where_nobody_is_answered_for_a_moment_it_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    every_other_time = RECOVERY_SECONDS
    await Watched(monkeypatch, own=lambda _: False, others=lambda now: now % every_other_time > 0).run()
