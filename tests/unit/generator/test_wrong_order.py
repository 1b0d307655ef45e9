"""Orders of things that the machine of test_attempt_machine.py found to go wrong, one by one."""

from typing import Any

from services.generator.attempt import State
from shared.contracts.events import (
    CompletionReported,
    Event,
    ProgressReported,
    VideoCancelled,
    VideoRequested,
    VideoRetryRequested,
    WorkflowErrorReported,
)
from tests.unit.generator.attempts_world import LONG, USER, VIDEO, World
from tests.unit.turns import Run

WHAT: dict[str, Any] = {"kind": "create", "request_id": "r", "title": "Rates", "email": "a@example.com", "fields": {}}
FIRST = VideoRequested(**WHAT, id="1", video_id=VIDEO, user_id=USER, attempt=1)
RETRY = VideoRetryRequested(**WHAT, id="2", video_id=VIDEO, user_id=USER, attempt=2, restart="workflow")


def cancelled(attempt: int) -> VideoCancelled:
    return VideoCancelled(id=f"c{attempt}", video_id=VIDEO, user_id=USER, attempt=attempt, title="Rates")


def hear(world: World, *events: Event) -> None:
    for event in events:
        Run(world.topics.handling(event)).finish()


def look_again(world: World) -> None:
    lease = world.held_memory.claim("receipt")
    assert lease is not None
    Run(world.look(lease)).finish()


def test_a_retry_that_was_cancelled_before_it_came_ends_the_attempt_before_it() -> None:
    world = World()
    hear(world, FIRST, cancelled(2), RETRY)
    assert world.attempts[1].state is State.SUPERSEDED
    assert world.attempts[2].state is State.CANCELLED


def test_a_request_that_comes_after_its_cancellation_forgets_no_execution() -> None:
    world = World()
    report = CompletionReported(
        id="r", receipt_id="r", video_id=VIDEO, attempt=1, status="failed", error="no voice", execution_id="7"
    )
    hear(world, cancelled(1), report, FIRST)
    assert world.attempts[1].execution_id == "7"


def test_what_is_quarantined_is_not_said_to_be_held_when_it_comes_again() -> None:
    """Nobody looks at it any more, and only what is quarantined can be closed by an admin."""
    world = World()
    report = WorkflowErrorReported(id="receipt", receipt_id="receipt", error_message="it broke", execution_id="7")
    hear(world, report)
    world.age(LONG)
    look_again(world)
    assert world.judged("receipt") == ["held", "quarantined"]
    hear(world, report)
    assert world.judged("receipt")[-1] == "quarantined"


def test_what_is_settled_is_said_to_be_just_that_when_it_comes_again() -> None:
    world = World()
    report = WorkflowErrorReported(id="receipt", receipt_id="receipt", error_message="it broke", execution_id="7")
    progress = ProgressReported(id="p", video_id=VIDEO, attempt=1, execution_id="7")
    hear(world, report, FIRST, progress)
    look_again(world)
    hear(world, report)
    assert world.judged("receipt") == ["held", "applied", "applied"]
