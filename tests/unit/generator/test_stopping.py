"""What is said of a run that was to be stopped and of which n8n never said anything clear."""

from datetime import timedelta
from typing import cast

from services.generator.attempt import State
from services.generator.executions import Execution
from services.generator.runs import NotToldError, Runs
from services.generator.search import Search
from services.generator.stopping import REFUSED_FOR, Stopping
from services.generator.store import Attempts
from shared.contracts.events import WorkflowNoted
from shared.contracts.wire import utc_now
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.generator.test_table import attempt_in
from tests.unit.turns import Run

HOUR = timedelta(hours=1)


class _Silent:
    async def look(self, *_: object, with_data: bool = False) -> Execution | None:
        raise NotToldError("status 503")


class _NotFound:
    async def find(self, *_: object, wait: bool) -> Execution | None:
        raise NotToldError("not all that may be it could be looked at")


def test_the_run_of_a_call_that_was_refused_is_looked_for_shortly_and_without_a_word() -> None:
    memory = Memory()
    post = Post(memory)
    attempts = Attempts(memory.collection, post, timedelta(minutes=1))
    attempt = attempt_in(State.SUPERSEDED).but(refused=True, stop_since=utc_now())
    stopping = Stopping(attempts, cast("Runs", _Silent()), cast("Search", _NotFound()), HOUR, METRICS)
    Run(attempts.add(attempt)).finish()
    for age in (timedelta(0), REFUSED_FOR):
        memory.age(age)
        assert "job" in memory.documents[attempt.id]
        lease = memory.claim(attempt.id)
        assert lease is not None
        Run(stopping.work(lease)).finish()
    assert "job" not in memory.documents[attempt.id]
    assert post.taken() == []


def test_a_run_that_can_not_be_stopped_in_time_is_told_of() -> None:
    memory = Memory()
    post = Post(memory)
    attempts = Attempts(memory.collection, post, timedelta(minutes=1))
    attempt = attempt_in(State.CANCELLED).but(execution_id="7", stop_since=utc_now())
    stopping = Stopping(attempts, cast("Runs", _Silent()), cast("Search", None), HOUR, METRICS)

    def work() -> list[str]:
        lease = memory.claim(attempt.id)
        assert lease is not None
        Run(stopping.work(lease)).finish()
        return [event.code for event in post.taken() if isinstance(event, WorkflowNoted)]

    Run(attempts.add(attempt)).finish()
    assert work() == []
    memory.age(HOUR)
    assert work() == ["run.given_up"]
    assert "job" not in memory.documents[attempt.id]
