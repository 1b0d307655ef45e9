"""What came of a callback is told straight and may be lost: whoever passes it on again is told the same."""

from typing import Any

import pytest

from services.generator.attempt import State
from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    Event,
    ProgressReported,
    VideoCancelled,
    VideoRequested,
    WorkflowErrorReported,
    again_id,
)
from shared.contracts.wire import utc_now
from tests.unit.collection import METRICS
from tests.unit.generator.attempts_world import LONG, USER, VIDEO, World
from tests.unit.turns import Run

WHAT: dict[str, Any] = {"kind": "create", "request_id": "r", "title": "Rates", "email": "a@example.com", "fields": {}}
REQUEST = VideoRequested(**WHAT, id="1", video_id=VIDEO, user_id=USER, attempt=1)
BEGUN = ProgressReported(id="p", video_id=VIDEO, attempt=1, execution_id="7")
REPORT = WorkflowErrorReported(id="report", receipt_id="receipt", error_message="it broke", execution_id="7")


class Lossy(World):
    """A generator whose broker loses what was sent straight when a test says so."""

    def lose(self) -> None:
        """Lose what was said until now."""
        self.sent.clear()

    @property
    def said(self) -> list[CallbackJudged]:
        """Return what was said of the report."""
        judged = [event for event in self.sent if isinstance(event, CallbackJudged)]
        return [event for event in judged if event.receipt_id == REPORT.receipt_id]


@pytest.fixture
def world() -> Lossy:
    return Lossy()


def hear(world: World, *events: Event) -> None:
    for event in events:
        Run(world.topics.handling(event)).finish()


def look_again(world: World, turns: int | None = None, of: Event = REPORT) -> None:
    """Do the job of what is held; a process that has only so many `turns` is killed then."""
    lease = world.held_memory.claim(of.id)
    assert lease is not None
    run = Run(world.look(lease))
    for _ in range(turns or 0):
        run.step()
    run.finish() if turns is None else run.kill()


def test_that_it_was_applied_after_all_is_told_to_whoever_missed_it(world: Lossy) -> None:
    hear(world, REPORT, REQUEST, BEGUN)
    look_again(world)
    assert world.attempts[1].state is State.FAILED
    world.lose()
    hear(world, REPORT)
    (told,) = world.said
    assert (told.outcome, told.video_id, told.attempt, told.report_id) == ("applied", VIDEO, 1, REPORT.id)


def test_that_it_is_quarantined_is_told_although_its_teller_was_killed(world: Lossy) -> None:
    hear(world, REPORT)
    world.age(LONG)
    for turns in range(20):
        if "job" in world.held_memory.documents[REPORT.id]:
            look_again(world, turns)
    assert world.held_memory.documents[REPORT.id]["state"] == "quarantined"
    world.lose()
    hear(world, REPORT)
    assert [told.outcome for told in world.said] == ["quarantined"]


def test_while_it_is_held_a_repeat_is_told_so_and_judges_nothing(world: Lossy) -> None:
    hear(world, REPORT, REQUEST, BEGUN, REPORT)
    assert [told.outcome for told in world.said] == ["held", "held"]
    assert world.attempts[1].state is State.STARTED
    look_again(world)
    assert [told.outcome for told in world.said] == ["held", "held", "applied"]


def test_once_a_person_says_whom_it_is_about_nobody_looks_for_another(world: Lossy) -> None:
    hear(world, REPORT)
    attached = attached_to("ann_other")
    hear(world, attached, REQUEST, BEGUN)
    assert world.held_memory.claim(REPORT.id) is None
    assert world.held_memory.claim(attached.id) is not None, "nobody knows that video here"
    world.lose()
    hear(world, REPORT)
    assert [told.outcome for told in world.said] == ["held"], "how it ends, the other one tells"
    assert world.attempts[1].state is State.STARTED


def test_what_had_its_effect_before_a_person_attached_it_has_no_second_one(world: Lossy) -> None:
    """That it had may not have been heard of."""
    hear(world, REPORT, REQUEST, BEGUN)
    look_again(world)
    world.lose()
    hear(world, REQUEST.model_copy(update={"id": "2", "video_id": "ann_other"}), attached_to("ann_other"))
    (told,) = world.said
    assert (told.outcome, told.video_id, told.report_id) == ("applied", VIDEO, "report:again:1")
    assert world.memory.documents["ann_other:1"]["state"] == "requested"


def test_attached_while_somebody_looks_at_it_it_waits_for_what_comes_of_that(world: Lossy) -> None:
    other = REQUEST.model_copy(update={"id": "2", "video_id": "ann_other"})
    hear(world, REPORT, other, REQUEST, BEGUN)
    lease = world.held_memory.claim(REPORT.id)
    assert lease is not None
    looking = Run(world.look(lease))
    while world.attempts[1].state is not State.FAILED:
        looking.step()
    attached = attached_to("ann_other")
    hear(world, attached)
    looking.finish()
    assert [told.outcome for told in world.said if told.report_id == attached.id] == ["held"]
    look_again(world, of=attached)
    assert [(told.outcome, told.video_id) for told in world.said if told.report_id == attached.id][1:] == [
        ("applied", VIDEO)
    ]
    assert world.memory.documents["ann_other:1"]["state"] == "requested"


def test_attached_once_more_meanwhile_it_waits_for_that_look_all_the_same(world: Lossy) -> None:
    other = REQUEST.model_copy(update={"id": "2", "video_id": "ann_other"})
    hear(world, REPORT, other, REQUEST, BEGUN)
    lease = world.held_memory.claim(REPORT.id)
    assert lease is not None
    first = attached_to("ann_other")
    second = first.model_copy(update={"id": again_id(first.id, 2), "replaces": first.id})
    hear(world, first, second)
    assert world.held_memory.claim(first.id) is None
    Run(world.look(lease)).finish()
    look_again(world, of=second)
    assert [told.outcome for told in world.said if told.report_id == second.id] == ["held", "applied"]
    assert world.memory.documents["ann_other:1"]["state"] == "requested"


def test_whoever_died_between_an_effect_and_its_note_leaves_it_to_be_said(world: Lossy) -> None:
    hear(world, REPORT, REQUEST, BEGUN)
    world.memory.documents[f"{VIDEO}:1"]["calledAt"] = utc_now()
    for turns in range(1, 30):
        if world.attempts[1].state is State.FAILED:
            break
        look_again(world, turns)
    assert "job" in world.held_memory.documents[REPORT.id], "it was not noted"
    world.lose()
    hear(world, VideoCancelled(id="c", video_id=VIDEO, user_id=USER, attempt=1, title="Rates"))
    look_again(world)
    assert [told.outcome for told in world.said] == ["applied"]
    hear(world, REQUEST.model_copy(update={"id": "2", "video_id": "ann_other"}), attached_to("ann_other"))
    assert world.memory.documents["ann_other:1"]["state"] == "requested"


def test_an_older_one_that_comes_late_closes_nothing(world: Lossy) -> None:
    """It was judged at once, so nothing of it is held that would answer its repeat."""
    first = attached_to(VIDEO)
    second = first.model_copy(update={"id": "report:again:1:again:2", "replaces": first.id, "video_id": "ann_other"})
    hear(world, REQUEST, REPORT, first, second, first)
    assert first.id not in world.held_memory.documents
    assert world.held_memory.documents[second.id]["state"] == "held"


def attached_to(video_id: str) -> WorkflowErrorReported:
    return REPORT.model_copy(
        update={"id": again_id(REPORT.id, 1), "replaces": REPORT.id, "video_id": video_id, "attempt": 1}
    )


@pytest.mark.parametrize(("state", "outcome"), [("settled", "repeat"), ("quarantined", "quarantined")])
def test_what_a_former_release_kept_without_its_outcome_has_an_end_too(world: Lossy, state: str, outcome: str) -> None:
    hear(world, REPORT)
    kept = world.held_memory.documents[REPORT.id]
    kept["state"] = state
    del kept["job"]
    world.lose()
    hear(world, REPORT)
    assert [told.outcome for told in world.said] == [outcome]


def test_what_is_told_again_is_not_counted_again(world: Lossy) -> None:
    before = counted("held"), counted("quarantined")
    hear(world, REPORT, REPORT)
    world.age(LONG)
    look_again(world)
    hear(world, REPORT, REPORT)
    assert (counted("held"), counted("quarantined")) == (before[0] + 1, before[1] + 1)


def test_that_it_counted_is_said_again_and_counted_once(world: Lossy) -> None:
    report = CompletionReported(id="c", receipt_id=str(REPORT.receipt_id), video_id=VIDEO, attempt=1, status="failed")
    before = counted("applied", "complete")
    hear(world, REQUEST, BEGUN, report, report)
    assert [told.outcome for told in world.said] == ["applied", "applied"]
    assert counted("applied", "complete") == before + 1


def counted(outcome: str, purpose: str = "error") -> float:
    return float(METRICS.callbacks.labels(purpose=purpose, outcome=outcome)._value.get())
