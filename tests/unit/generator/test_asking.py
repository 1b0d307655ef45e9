"""What n8n's silence about a call that was turned away is worth: something only where n8n shows what is over."""

from typing import Any, cast

import pytest

from services.generator.asking import Asking, Said
from services.generator.attempt import Attempt, Kind, State
from services.generator.executions import Execution
from services.generator.runs import Runs, TooMuchError
from services.generator.search import Search
from tests.unit.collection import METRICS
from tests.unit.generator.test_evidence import CALL, ended
from tests.unit.generator.test_table import NOW, attempt_in

FORMER = attempt_in(State.COMPLETED).but(execution_id="5")
AWAY = attempt_in(State.UNKNOWN).but(call_again_at=NOW)
OTHERS = ended(call={**CALL, "headers": {"idempotency-key": "video_9_z:1"}})


class Engine:
    """Finds nothing of the call, and shows of a former run what it was given."""

    def __init__(self, shown: Execution | Exception | None, former: Attempt | None) -> None:
        self.shown, self.former = shown, former
        self.asked: list[str] = []

    async def find(self, _: Attempt, *, wait: bool) -> Execution | None:
        self.asked.append("search")
        return None

    async def look(self, _: Kind, execution_id: str, *, with_data: bool = False) -> Execution | None:
        self.asked.append(execution_id)
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown

    async def last_delivered(self, _: Kind) -> Attempt | None:
        return self.former


def run(status: str = "success", data: dict[str, Any] | None = None) -> Execution:
    return Execution(id="5", status=status, data=data or ended())


async def said(engine: Engine, attempt: Attempt = AWAY) -> Said:
    asking = Asking(cast("Runs", engine), cast("Search", engine), engine.last_delivered, METRICS)
    return (await asking.about(attempt, thoroughly=True)).said


@pytest.mark.parametrize(
    ("shown", "former", "expected"),
    [
        (run(), FORMER, Said.GONE),
        (None, FORMER, Said.NOTHING),  # another project's key, or one that is not saved
        (run("error"), FORMER, Said.NOTHING),  # only failed ones may be saved
        (run(data=OTHERS), FORMER, Said.NOTHING),  # ids began anew
        (Execution(id="5", status="success"), FORMER, Said.NOTHING),
        (TooMuchError("large"), FORMER, Said.NOTHING),
        (run(), None, Said.NOTHING),
    ],
)
async def test_nothing_is_made_again_where_runs_may_be_hidden(
    shown: Execution | Exception | None, former: Attempt | None, expected: Said
) -> None:
    assert await said(Engine(shown, former)) is expected


async def test_where_nothing_would_be_made_again_it_is_not_asked_for() -> None:
    engine = Engine(None, FORMER)
    assert await said(engine, AWAY.but(call_again_at=None)) is Said.GONE
    assert engine.asked == ["search"]
