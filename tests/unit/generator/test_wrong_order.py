"""Orders of things that the machine of test_attempt_machine.py found to go wrong, one by one."""

from datetime import timedelta
from typing import Any

from services.generator.asking import Said, Told
from services.generator.attempt import State
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.n8n import Answer
from shared.contracts.events import (
    CompletionReported,
    Event,
    ProgressReported,
    VideoCancelled,
    VideoRequested,
    VideoRetryRequested,
    WorkflowCompleted,
    WorkflowErrorReported,
    WorkflowNoted,
    again_id,
)
from shared.contracts.wire import utc_now
from tests.unit.generator.attempts_world import LAST_DEADLINE, LONG, USER, VIDEO, Says, World
from tests.unit.turns import Run

WHAT: dict[str, Any] = {"kind": "create", "request_id": "r", "title": "Rates", "email": "a@example.com", "fields": {}}
FIRST = VideoRequested(**WHAT, id="1", video_id=VIDEO, user_id=USER, attempt=1)
NOTHING = Told(Said.NOTHING)
FOUND = Says(Answer(Happening.TAKEN, "status 200"), Told(Said.RUNNING, Execution(id="8", status="running")))
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


def test_the_execution_of_a_late_answer_is_not_replaced_by_one_that_was_looked_up_meanwhile() -> None:
    world = World()
    calling = begun(world)
    claim(world, Says(Answer(Happening.TAKEN, "status 200"), NOTHING)).finish()
    assert world.attempts[1].state is State.UNKNOWN
    looking = claim(world, FOUND)
    looking.step()
    calling.finish()
    looking.finish()
    assert world.attempts[1].execution_id == "7"


def test_the_run_of_a_late_answer_is_stopped_also_where_another_was_looked_up_meanwhile() -> None:
    world = World()
    calling = begun(world)
    hear(world, cancelled(1))
    stopping = claim(world, FOUND)
    stopping.step()
    while world.attempts[1].execution_id is None:
        calling.step()
    stopping.finish()
    assert world.attempts[1].execution_id == "7"
    assert world.jobs() == [f"{VIDEO}:1"], "somebody stops it"


def test_the_execution_that_a_callback_brought_is_not_replaced_by_one_that_was_looked_up_meanwhile() -> None:
    world = World()
    hear(world, FIRST)
    claim(world, Says(Answer(Happening.TAKEN, "status 200"), NOTHING)).finish()
    assert world.attempts[1].state is State.STARTED
    looking = claim(world, FOUND)
    looking.step()
    hear(world, ProgressReported(id="p", video_id=VIDEO, attempt=1, execution_id="7"))
    looking.finish()
    assert world.attempts[1].execution_id == "7"


def begun(world: World) -> Run:
    """Have the engine called, which began run 7; its answer is still to be read."""
    hear(world, FIRST)
    calling = claim(world, Says(Answer(Happening.TAKEN, "status 200", "7"), NOTHING))
    while not world.runs:
        calling.step()
    return calling


def claim(world: World, says: Says) -> Run:
    """Have somebody take the attempt's job, also from whoever is at it."""
    lease = world.memory.claim(f"{VIDEO}:1")
    assert lease is not None
    return Run(world.work(lease, says))


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


READY = CompletionReported(
    id="r", receipt_id="r", video_id=VIDEO, attempt=1, status="ready", video_url="https://files.example.com/a.mp4"
)
BROKE = WorkflowErrorReported(id="receipt", receipt_id="receipt", error_message="it broke", execution_id="7")


def called(world: World, *attempts: int) -> None:
    for number in attempts:
        lease = world.memory.claim(f"{VIDEO}:{number}")
        assert lease is not None
        Run(world.work(lease, Says(Answer(Happening.TAKEN, "status 200", "7"), Told(Said.NOTHING)))).finish()


def with_two_calls() -> World:
    """Return a world whose second attempt runs under the same id as the first one did."""
    world = World()
    hear(world, FIRST)
    called(world, 1)
    hear(world, RETRY)
    called(world, 2)
    return world


def lasting_notes(world: World) -> list[str]:
    return [event.code for event in world.post.taken() if isinstance(event, WorkflowNoted) and event.lasting]


def test_a_failure_that_names_only_its_execution_is_heard_of_after_the_end() -> None:
    world = World()
    hear(world, FIRST)
    called(world, 1)
    hear(world, READY, BROKE)
    assert world.judged("receipt") == ["contradiction"]
    assert lasting_notes(world) == ["report.contradiction"]


def test_a_failure_of_an_execution_is_for_the_attempt_that_runs_so() -> None:
    world = with_two_calls()
    hear(world, BROKE.model_copy(update={"time": utc_now()}))
    assert [world.attempts[number].state for number in (1, 2)] == [State.SUPERSEDED, State.FAILED]


def test_a_failure_that_two_ended_attempts_may_mean_is_held() -> None:
    world = with_two_calls()
    hear(world, cancelled(2), BROKE)
    assert world.judged("receipt") == ["held"]


def test_a_failure_that_two_running_attempts_may_mean_is_for_none_once_the_other_has_ended() -> None:
    world = with_two_calls()
    # It was reported while both ran, and is heard of late.
    hear(world, BROKE.model_copy(update={"time": utc_now() - timedelta(minutes=1)}))
    look_again(world)
    assert world.judged("receipt") == ["held"]
    assert world.attempts[2].state is State.STARTED


def test_a_failure_that_was_held_for_two_is_for_neither_when_it_is_judged_again() -> None:
    world = with_two_calls()
    came = utc_now() - timedelta(minutes=1)
    again = {"id": again_id("receipt", 1), "replaces": "receipt", "reported_at": came}
    hear(world, BROKE.model_copy(update={"time": came}), BROKE.model_copy(update={"time": utc_now(), **again}))
    assert world.judged("receipt") == ["held", "held"]
    assert world.attempts[2].state is State.STARTED


def test_a_retry_after_a_cancel_takes_the_result_that_came_before_that() -> None:
    """Asked, n8n had it: there is no webhook that the gateway could know it from."""
    world = World()
    hear(world, FIRST)
    called(world, 1)
    hear(world, READY, cancelled(1), RETRY.model_copy(update={"takes_result": True}))
    assert (world.attempts[2].state, world.attempts[2].video_url) == (State.COMPLETED, READY.video_url)


def test_a_result_that_crosses_a_retry_is_either_taken_by_that_or_not_taken_at_all() -> None:
    """Whatever is heard first, and wherever the other one comes in between: it is rendered once more, or taken."""
    retry = RETRY.model_copy(update={"takes_result": True})
    ends = set()
    for turns in range(12):
        world = World()
        hear(world, FIRST)
        called(world, 1)
        world.age(LONG)
        claim(world, FOUND).finish()
        completing = Run(world.topics.handling(READY.model_copy(update={"time": utc_now()})))
        for _ in range(turns):
            if not completing.done:
                completing.step()
        hear(world, retry)
        completing.finish()
        first, second = world.attempts[1], world.attempts[2]
        ends.add((first.state, second.state))
        if first.state is State.COMPLETED:
            told = [event for event in world.post.taken() if isinstance(event, WorkflowCompleted | WorkflowNoted)]
            news = [one.code if isinstance(one, WorkflowNoted) else one.video_url for one in told if one.attempt == 2]
            assert news == ["result.taken", first.video_url]
            assert (second.video_url, second.calls) == (first.video_url, 0)
    assert ends == {(State.SUPERSEDED, State.REQUESTED), (State.COMPLETED, State.COMPLETED)}


def test_a_retry_that_knew_of_the_result_is_rendered() -> None:
    world = World()
    hear(world, FIRST)
    called(world, 1)
    hear(world, READY, RETRY)
    assert world.attempts[2].state is State.REQUESTED


def test_a_result_that_was_reported_in_time_counts_however_late_it_is_heard_of() -> None:
    """Kafka, or the generator, was away when the deadline passed."""
    for reported, judged in ((timedelta(hours=4), "late"), (LONG, "adopted")):
        world = World("discard")
        hear(world, FIRST)
        called(world, 1)
        world.age(LONG)
        claim(world, FOUND).finish()
        assert world.attempts[1].state is State.GIVEN_UP
        hear(world, READY.model_copy(update={"time": utc_now() - reported}))
        assert world.judged("r") == [judged]


def test_a_failure_is_not_for_an_attempt_of_long_ago() -> None:
    """Executions count from 1 again where n8n's database is made anew."""
    world = World()
    hear(world, FIRST)
    called(world, 1)
    hear(world, READY)
    world.age(LAST_DEADLINE + timedelta(seconds=1))
    hear(world, BROKE)
    assert world.judged("receipt") == ["held"]
