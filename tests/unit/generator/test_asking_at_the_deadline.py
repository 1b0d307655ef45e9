"""A deadline that passes while n8n is being asked changes nothing about what was asked for: no result is lost by it."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.generator import awaiting
from services.generator.asking import Said, Told
from services.generator.attempt import Attempt, State
from services.generator.awaiting import Awaiting
from services.generator.domain import Happening, News
from services.generator.executions import Execution
from services.generator.patience import Patience
from shared.wiring.metrics import Metrics
from tests.unit.generator.test_evidence import REPORT, ended
from tests.unit.generator.test_table import NOW, attempt_in

A_MOMENT = timedelta(milliseconds=400)


class SlowN8n:
    """The run is over and has its report; its data come only where they are asked for, and an answer takes a moment."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    async def about(self, attempt: Attempt, *, thoroughly: bool) -> Told:
        self.now += A_MOMENT
        return Told(Said.OVER, Execution(id="7", status="success", data=ended(REPORT) if thoroughly else None))


class Ends:
    """Where the news go, in the place of everything that writes."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.asked_again = 0

    async def settle(self, lease: object, attempt: Attempt, news: News) -> None:
        self.news.append(news)

    async def again(self, after: timedelta, update: object) -> None:
        self.asked_again += 1

    def update(self, before: Attempt, after: Attempt, **_: Any) -> dict[str, Any]:
        return {}

    def look_after(self, attempt: Attempt) -> timedelta:
        return timedelta(0)

    async def look_at(self, execution_id: str) -> None: ...


@pytest.mark.parametrize("over_for", [None, timedelta(minutes=5) - A_MOMENT / 2], ids=["deadline", "lost"])
async def test_what_is_concluded_was_asked_for_thoroughly(
    monkeypatch: pytest.MonkeyPatch, over_for: timedelta | None
) -> None:
    engine, ends = SlowN8n(NOW), Ends()
    monkeypatch.setattr(awaiting, "utc_now", lambda: engine.now)
    patience = Patience(timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=3))
    rooms: Any = (ends, ends, ends, engine, patience, Metrics(), None)
    attempt = attempt_in(State.STARTED).but(execution_id="7", run_over_at=None if over_for is None else NOW - over_for)
    if over_for is None:
        attempt = attempt.but(deadline_at=NOW + A_MOMENT / 2)
    lease = cast("Any", SimpleNamespace(document=attempt.model_dump(by_alias=True), again=ends.again))
    work = Awaiting(*rooms).work
    await work(lease)
    assert (ends.news, ends.asked_again) == ([], 1)
    await work(lease)
    assert [news.happening for news in ends.news] == [Happening.RESULT]
