"""A call that was turned away (429, 503) may have got through: it is made again only once n8n knows nothing of it."""

from datetime import timedelta

import pytest

from services.generator.asking import Said, Told
from services.generator.attempt import Attempt, State
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.messages import NOT_SAID
from services.generator.n8n import Answer
from services.generator.patience import Patience, Step
from services.generator.store import Attempts
from shared.contracts.events import WorkflowNoted, WorkflowStarted
from shared.contracts.wire import utc_now
from tests.unit.collection import Memory, Post
from tests.unit.generator.attempts_world import DEADLINE, Says, World
from tests.unit.generator.test_long_outage import ID, RUNS, TAKEN, claim, requested
from tests.unit.generator.test_table import NOW, attempt_in
from tests.unit.turns import Run

PATIENCE = Patience(timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=3))
AWAY = Answer(Happening.TURNED_AWAY, "status 503")
GONE, NOTHING = Told(Said.GONE), Told(Said.NOTHING)
FAILED = Told(Said.OVER, Execution(id="7", status="error"))
MINUTE = timedelta(minutes=1)


def turned_away(answer: Answer = AWAY, *, got_through: bool = False) -> World:
    world = World()
    requested(world)
    Run(world.work(claim(world), Says(answer, NOTHING, got_through=got_through))).finish()
    return world


def asked(world: World, told: Told) -> Attempt:
    """Ask n8n of it, a minute later."""
    world.age(MINUTE)
    Run(world.work(claim(world), Says(TAKEN, told))).finish()
    return world.attempts[1]


def asked_while_it_goes_on(world: World, told: Told) -> Attempt:
    return asked(world, told) if world.jobs() else world.attempts[1]


def notes(world: World) -> list[tuple[str, str]]:
    return [(note.code, note.id) for note in world.post.taken() if isinstance(note, WorkflowNoted)]


def test_its_owner_reads_that_it_may_run() -> None:
    world = turned_away()
    told, *others = [event for event in world.post.taken() if isinstance(event, WorkflowStarted)]
    assert (told.certain, told.message, others) == (False, NOT_SAID, [])
    assert world.attempts[1].state is State.UNKNOWN
    assert world.attempts[1].may_run


def test_it_is_called_again_once_n8n_was_asked_twice() -> None:
    world = turned_away()
    assert asked(world, GONE).state is State.UNKNOWN
    assert asked(world, GONE).state is State.REQUESTED
    assert not world.attempts[1].was_turned_away
    assert asked(world, GONE).state is State.STARTED
    assert world.runs == [ID]
    assert world.thoroughly == [True, True], "it waits for its turn, however many are searched for"


@pytest.mark.parametrize(("told", "state"), [(RUNS, State.STARTED), (NOTHING, State.UNKNOWN), (FAILED, State.GIVEN_UP)])
def test_one_that_runs_or_of_which_nobody_knows_is_not_called_again(told: Told, state: State) -> None:
    world = turned_away(got_through=True)
    for _ in range(10):
        asked_while_it_goes_on(world, told)
    assert world.attempts[1].state is state
    assert world.runs == [ID]


def test_one_whose_run_was_seen_and_has_gone_is_not_called_again() -> None:
    world = turned_away(got_through=True)
    asked(world, FAILED)
    for _ in range(10):
        ended = asked_while_it_goes_on(world, GONE)
    assert ended.failure is not None
    assert (ended.state, ended.failure.code, world.runs) == (State.GIVEN_UP, "WORKFLOW_LOST", [ID])


def test_what_nobody_is_asked_of_ends_at_its_deadline() -> None:
    world = turned_away()
    world.age(DEADLINE)
    ended = asked(world, NOTHING)
    assert ended.failure is not None
    assert (ended.state, ended.failure.code, world.runs) == (State.GIVEN_UP, "WORKFLOW_UNKNOWN", [])


def test_it_is_asked_for_soon_however_rarely_others_are() -> None:
    attempts = Attempts(Memory().collection, Post(Memory()), timedelta(minutes=20))
    away = attempt_in(State.UNKNOWN).but(call_again_at=NOW, deadline_at=utc_now() + DEADLINE)
    assert attempts.look_after(away) == MINUTE
    assert attempts.look_after(away.but(call_again_at=None)) == 20 * MINUTE


def test_its_time_goes_on_while_it_is_turned_away() -> None:
    world = turned_away()
    ends_at = world.attempts[1].ends_at
    asked(world, GONE)
    asked(world, GONE)
    Run(world.work(claim(world), Says(AWAY, NOTHING))).finish()
    assert abs(world.attempts[1].ends_at - ends_at) <= 3 * MINUTE  # the test's time passes by making all older
    world.age(DEADLINE)
    assert asked(world, GONE).state is State.GIVEN_UP


def test_each_call_and_each_question_is_noted() -> None:
    world = turned_away()
    found = notes(world)
    for _ in range(2):
        asked(world, GONE)
        asked(world, GONE)
        Run(world.work(claim(world), Says(AWAY, NOTHING))).finish()
        found += notes(world)
    codes = [code for code, _ in found]
    assert codes == ["call.turned_away", *["asked.absent", "call.turned_away"] * 2]
    assert len({id_ for _, id_ in found}) == 5


def test_who_says_when_to_come_again_is_not_called_earlier() -> None:
    world = turned_away(Answer(Happening.TURNED_AWAY, "status 429", retry_after=10 * MINUTE))
    for _ in range(9):
        assert asked(world, GONE).state is State.UNKNOWN
    assert asked(world, GONE).state is State.REQUESTED


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, Step.WAIT),
        ({"run_over_at": NOW - MINUTE}, Step.CALL_AGAIN),
        ({"run_over_at": NOW - 9 * MINUTE, "call_again_at": NOW + MINUTE}, Step.WAIT),
        ({"run_over_at": NOW - MINUTE, "execution_id": "7"}, Step.WAIT),
        ({"run_over_at": NOW - 9 * MINUTE, "execution_id": "7"}, Step.CONCLUDE),
        ({"run_over_at": NOW - MINUTE, "deadline_at": NOW}, Step.CONCLUDE),
        ({"run_over_at": NOW - MINUTE, "call_again_at": None}, Step.WAIT),
    ],
)
def test_every_step_where_n8n_knows_nothing_of_it(changes: dict[str, object], step: Step) -> None:
    attempt = attempt_in(State.UNKNOWN).but(**{"call_again_at": NOW, **changes})
    assert PATIENCE.step(attempt, Said.GONE, NOW) is step
