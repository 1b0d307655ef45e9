"""What is done after n8n was asked: a table of what it said, how late it is, and whether the run was over before."""

from datetime import timedelta

import pytest

from services.generator.announcements import still_running
from services.generator.asking import Said, Told, news_of
from services.generator.attempt import State
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.messages import STILL_RUNNING
from services.generator.patience import Patience, Step
from tests.unit.generator.test_evidence import REPORT, ended
from tests.unit.generator.test_table import NOW, attempt_in

PATIENCE = Patience(timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=3))
MINUTE = timedelta(minutes=1)

ON_TIME, OVERDUE, AT_LAST = "on time", "overdue", "beyond the last deadline"


@pytest.mark.parametrize(
    ("said", "over_for", "on_time", "overdue", "at_last"),
    [
        (Said.NOTHING, None, Step.WAIT, Step.END, Step.END),
        (Said.NOTHING, 9 * MINUTE, Step.WAIT, Step.END, Step.END),
        (Said.RUNNING, None, Step.WAIT, Step.EXTEND, Step.END),
        (Said.RUNNING, 9 * MINUTE, Step.WAIT, Step.EXTEND, Step.END),
        (Said.OVER, None, Step.WAIT, Step.CONCLUDE, Step.CONCLUDE),
        (Said.OVER, 4 * MINUTE, Step.WAIT, Step.CONCLUDE, Step.CONCLUDE),
        (Said.OVER, 5 * MINUTE, Step.CONCLUDE, Step.CONCLUDE, Step.CONCLUDE),
        (Said.GONE, None, Step.WAIT, Step.CONCLUDE, Step.CONCLUDE),
        (Said.GONE, 4 * MINUTE, Step.WAIT, Step.CONCLUDE, Step.CONCLUDE),
        (Said.GONE, 5 * MINUTE, Step.CONCLUDE, Step.CONCLUDE, Step.CONCLUDE),
    ],
)
def test_every_step(said: Said, over_for: timedelta | None, on_time: Step, overdue: Step, at_last: Step) -> None:
    attempt = attempt_in(State.STARTED).but(run_over_at=None if over_for is None else NOW - over_for)
    late = attempt.but(deadline_at=NOW)
    last = late.but(created_at=NOW - timedelta(hours=3))
    assert [PATIENCE.step(one, said, NOW) for one in (attempt, late, last)] == [on_time, overdue, at_last]
    unknown = [one.but(state=State.UNKNOWN) for one in (attempt, late, last)]
    expected = [Step.TAKE, Step.TAKE, Step.END] if said is Said.RUNNING else [on_time, overdue, at_last]
    assert [PATIENCE.step(one, said, NOW) for one in unknown] == expected


def test_a_deadline_is_put_off_by_steps_and_never_beyond_the_last() -> None:
    attempt = attempt_in(State.STARTED).but(deadline_at=NOW, created_at=NOW - timedelta(hours=1))
    assert PATIENCE.extended(attempt, NOW) == NOW + timedelta(minutes=15)
    assert PATIENCE.extended(attempt, NOW + timedelta(minutes=110)) == NOW + timedelta(hours=2)


def test_what_is_told_while_it_goes_on() -> None:
    first, second = (still_running(attempt_in(State.STARTED).but(deadline_at=NOW + n * MINUTE)) for n in (1, 2))
    assert first.message == STILL_RUNNING
    assert first.progress is None
    assert first.id != second.id


@pytest.mark.parametrize(
    ("execution", "happening"),
    [
        (None, Happening.LOST),
        (Execution(id="7", status="success"), Happening.LOST),
        (Execution(id="7", status="success", data=ended()), Happening.LOST),
        (Execution(id="7", status="success", data=ended(REPORT)), Happening.RESULT),
        (Execution(id="7", status="error"), Happening.BROKE),
        (Execution(id="7", status="crashed", data=ended()), Happening.BROKE),
        # What the callback's own failure broke has made its video all the same.
        (Execution(id="7", status="error", data=ended(REPORT)), Happening.RESULT),
        (Execution(id="7", status="canceled", data=ended({**REPORT, "status": "failed"})), Happening.FAILURE),
        (Execution(id="7", status="waiting", data=ended(REPORT)), Happening.RESULT),
        # It goes on: what it makes after all is still taken.
        (Execution(id="7", status="waiting", data=ended({**REPORT, "status": "failed"})), Happening.BROKE),
    ],
)
def test_what_the_end_of_a_run_means(execution: Execution | None, happening: Happening) -> None:
    news = news_of(Told(Said.OVER, execution), attempt_in(State.STARTED))
    assert news.happening is happening
    assert news.execution_id == (execution.id if execution else None)


def test_n8ns_own_words_are_plain() -> None:
    data = ended(error="connect ECONNREFUSED\nhttps://gw.example.com/x?token=abc " + "x" * 9_000)
    news = news_of(Told(Said.OVER, Execution(id="7", status="error", data=data)), attempt_in(State.STARTED))
    assert news.message is not None
    assert news.message.startswith("connect ECONNREFUSED https://gw.example.com/x?… xxx")
    assert len(news.message) == 300
    stopped = news_of(Told(Said.OVER, Execution(id="7", status="canceled")), attempt_in(State.STARTED))
    assert stopped.message == "The rendering was stopped where it ran. Try again."
