"""Reelway was away for longer than a video may take: what was never tried is tried, and still everything ends."""

from datetime import timedelta

import pytest

from services.generator.asking import Said, Told
from services.generator.attempt import Attempt, State
from services.generator.dispatch import CLAIMS_WITHOUT_A_CALL
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.n8n import Answer
from services.generator.store import LONG_AGO, READ_ON
from shared.contracts.events import VideoRequested
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease
from tests.unit.generator.attempts_world import DEADLINE, LAST_DEADLINE, LONG, USER, VIDEO, Says, World
from tests.unit.turns import Run

ID = f"{VIDEO}:1"
TAKEN, REFUSED = Answer(Happening.TAKEN, "status 200", "7"), Answer(Happening.REFUSED, "no connection")
NOTHING, RUNS = Told(Said.NOTHING), Told(Said.RUNNING, Execution(id="7", status="running"))
MOMENT = timedelta(seconds=1)


def requested(world: World, ago: timedelta = timedelta(0)) -> None:
    event = VideoRequested(
        id="requested:1",
        time=utc_now() - ago,
        video_id=VIDEO,
        user_id=USER,
        attempt=1,
        kind="create",
        request_id="r",
        title="Rates",
        email="a@example.com",
        fields={"body": "script"},
    )
    Run(world.topics.handling(event)).finish()


def claim(world: World) -> Lease:
    lease = world.memory.claim(ID)
    assert lease is not None
    return lease


def work(world: World, answer: Answer = TAKEN, told: Told = NOTHING) -> Attempt:
    Run(world.work(claim(world), Says(answer, told))).finish()
    return world.attempts[1]


def test_a_request_that_kafka_had_for_hours_is_called() -> None:
    world = World()
    requested(world, LONG)
    assert work(world).state is State.STARTED
    assert world.runs == [ID]


@pytest.mark.parametrize(("ago", "waits"), [(timedelta(0), timedelta(0)), (LONG_AGO, READ_ON), (LONG, READ_ON)])
def test_what_came_after_an_old_request_is_read_before_it_is_called(ago: timedelta, waits: timedelta) -> None:
    """Its owner may have cancelled it or asked again: every call is paid."""
    world = World()
    requested(world, ago)
    due_at = world.memory.documents[ID]["job"]["dueAt"]
    assert abs(due_at - utc_now() - waits) < MOMENT


def test_a_request_that_the_database_had_for_hours_is_called() -> None:
    world = World()
    requested(world)
    claim(world)  # whoever took it did not come to it before the database went away
    world.age(LONG)
    assert work(world).state is State.STARTED


def test_its_time_counts_from_the_first_call() -> None:
    world = World()
    requested(world, LONG)
    assert abs(utc_now() + DEADLINE - work(world, REFUSED).ends_at) < MOMENT
    world.age(DEADLINE - MOMENT)
    assert work(world, REFUSED).state is State.REQUESTED
    world.age(MOMENT)
    ended = work(world)
    assert (ended.state, ended.failure and ended.failure.code) == (State.GIVEN_UP, "WORKFLOW_UNREACHABLE")
    assert world.runs == []


def test_a_run_that_goes_on_has_all_its_time_too() -> None:
    world = World()
    requested(world, LONG)
    work(world)
    world.age(DEADLINE)
    assert work(world, told=RUNS).state is State.STARTED
    assert work(world, told=RUNS).ends_at > utc_now()
    world.age(LAST_DEADLINE - DEADLINE)
    assert work(world, told=RUNS).state is State.GIVEN_UP


def test_one_that_is_never_called_because_something_is_broken_ends_all_the_same() -> None:
    world = World()
    requested(world)
    world.age(LONG)
    for _ in range(CLAIMS_WITHOUT_A_CALL):
        claim(world)
    ended = work(world)
    assert (ended.state, world.runs) == (State.GIVEN_UP, [])
    assert ended.failure is not None
    assert ended.failure.message.startswith("This video could not be handed to the rendering service in time.")
