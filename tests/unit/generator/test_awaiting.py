"""What is concluded of a run rests on what was asked for: how late it is, is looked at once, before n8n is asked."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from services.generator import awaiting
from services.generator.asking import Asking, Said, Told
from services.generator.attempt import Attempt, State
from services.generator.awaiting import Awaiting
from services.generator.domain import Happening, News
from services.generator.executions import Execution
from services.generator.held import Held
from services.generator.patience import Patience
from services.generator.settling import Settling
from services.generator.store import Attempts
from shared.delivery.leases import Lease
from tests.unit.collection import METRICS
from tests.unit.generator.test_evidence import REPORT, ended
from tests.unit.generator.test_table import NOW, attempt_in

LOST_AFTER = timedelta(minutes=5)
MOMENT = timedelta(seconds=1)


class SlowEngine:
    """An engine whose answers take two moments; it shows its data where they are asked for, and all else is noted."""

    def __init__(self, attempt: Attempt) -> None:
        self.document = attempt.but(execution_id="7")
        self.now = NOW
        self.settled: list[Happening] = []

    def utc_now(self) -> datetime:
        return self.now

    async def about(self, _: Attempt, *, thoroughly: bool) -> Told:
        self.now += 2 * MOMENT
        return Told(Said.OVER, Execution(id="7", status="success", data=ended(REPORT) if thoroughly else None))

    async def settle(self, _: Lease, __: Attempt, news: News) -> None:
        self.settled.append(news.happening)

    async def again(self, *_: object) -> None:
        """Take the job back."""

    def update(self, *_: object, **__: object) -> dict[str, Any]:
        return {}

    def look_after(self, _: Attempt) -> timedelta:
        return MOMENT


@pytest.mark.parametrize(
    "attempt",
    [
        attempt_in(State.STARTED).but(run_over_at=NOW - LOST_AFTER + MOMENT),
        attempt_in(State.STARTED).but(deadline_at=NOW + MOMENT),
    ],
    ids=["its callback is not awaited any longer", "its deadline passes"],
)
async def test_time_that_passes_while_it_is_asked_concludes_nothing(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SlowEngine(attempt)
    monkeypatch.setattr(awaiting, "utc_now", engine.utc_now)
    patience = Patience(LOST_AFTER, timedelta(minutes=15), timedelta(hours=3))
    attempts, settling = cast("Attempts", engine), cast("Settling", engine)
    asking, held, lease = cast("Asking", engine), cast("Held", None), cast("Lease", engine)
    job = Awaiting(attempts, settling, held, asking, patience, METRICS, cast("Any", None))
    await job.work(lease)
    assert engine.settled == []
    await job.work(lease)
    assert engine.settled == [Happening.RESULT]
