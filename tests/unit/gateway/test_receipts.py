"""What is noted of a webhook, whatever is said of it, in whatever order, however often it is passed on."""

import itertools
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from services.gateway.store.receipts import QUARANTINED_KEPT, Receipt, Receipts, passed_on
from services.gateway.workflow.reannouncing import unanswered_receipt
from shared.contracts.events import WorkflowErrorReported
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document
from tests.unit.collection import Memory, Post
from tests.unit.turns import Run

FIRST = WorkflowErrorReported(id="first", receipt_id="r", error_message="it broke", execution_id="7")
AGAIN = FIRST.model_copy(update={"id": "again"})
ROWS = ("held", "quarantined", "late", "applied")


def finish(work: Coroutine[Any, Any, Any]) -> None:
    Run(work).finish()


class World:
    """One webhook that was stored and passed on."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._receipts = Receipts(self._memory.collection, Post(self._memory), timedelta(seconds=30))
        receipt = Receipt("r", "error", False, None, None, "7", "secret", b"{}", "hash")
        finish(self._receipts.add(receipt, FIRST))

    @property
    def document(self) -> Document:
        """Return the webhook as it is stored."""
        return self._memory.documents["r"]

    @property
    def is_asked_for(self) -> bool:
        """Return whether the webhook will be passed on again."""
        return "job" in self.document and bool(unanswered_receipt(self.document))

    def judge(self, outcome: str, of: WorkflowErrorReported | None = FIRST) -> None:
        """Say what came of it, the first time it was passed on or a later one."""
        self.judging(outcome, of).finish()

    def judging(self, outcome: str, of: WorkflowErrorReported | None = FIRST) -> Run:
        return Run(self._receipts.judged("r", outcome, of.id if of else None))

    def replay(self) -> None:
        finish(self._receipts.pass_on_again(dict(self.document), AGAIN, {}))

    def discard(self) -> None:
        finish(self._receipts.discard(dict(self.document)))

    def forget(self, *fields: str) -> None:
        """Make it a document of a former release."""
        for field in fields:
            *parents, name = field.split(".")
            place = self.document
            for parent in parents:
                place = place[parent]
            place.pop(name, None)

    def start(self) -> None:
        """Do what a gateway does before it serves."""
        finish(self._receipts.ask_about_held())


@pytest.fixture
def world() -> World:
    return World()


def test_that_it_is_held_is_no_end_of_the_asking(world: World) -> None:
    world.judge("held")
    assert world.document["outcome"] == "held"
    assert world.is_asked_for
    world.judge("quarantined")
    assert not world.is_asked_for
    assert world.document["expiresAt"] > utc_now() + QUARANTINED_KEPT - timedelta(minutes=1)


@pytest.mark.parametrize("said", list(itertools.permutations(ROWS)), ids="-".join)
def test_what_settles_most_stays_in_whatever_order_it_is_said(world: World, said: tuple[str, ...]) -> None:
    for outcome in said:
        world.judge(outcome)
    assert world.document["outcome"] == "applied"
    assert not world.is_asked_for


@pytest.mark.parametrize("turns", range(1, 5))
def test_two_replicas_that_hear_of_it_at_once_agree(world: World, turns: int) -> None:
    """What is held is on another partition than what is about a video."""
    slow = world.judging("held")
    for _ in range(turns):
        if not slow.done:
            slow.step()
    world.judge("applied")
    slow.finish()
    assert world.document["outcome"] == "applied"
    assert not world.is_asked_for


def test_the_first_time_something_is_said_counts_as_the_time_it_was_judged(world: World) -> None:
    world.judge("applied")
    judged_at = world.document["judgedAt"]
    world.judge("repeat")
    world.judge("held")
    assert world.document["judgedAt"] == judged_at


def test_what_is_said_of_an_earlier_time_does_not_close_the_present_one(world: World) -> None:
    world.judge("held")
    world.replay()
    world.judge("quarantined", of=FIRST)
    assert "outcome" not in world.document
    assert world.is_asked_for
    world.judge("contradiction", of=AGAIN)
    world.judge("quarantined", of=FIRST)
    assert world.document["outcome"] == "contradiction"
    assert passed_on(world.document) == AGAIN


def test_what_was_discarded_is_not_opened_again_by_a_late_judgement(world: World) -> None:
    world.judge("quarantined")
    world.discard()
    world.judge("quarantined")
    world.judge("held")
    assert world.document["outcome"] == "discarded"


def test_a_judgement_that_does_not_say_of_which_time_is_taken(world: World) -> None:
    """A generator of a former release has made it."""
    world.judge("held")
    world.replay()
    world.judge("applied", of=None)
    assert world.document["outcome"] == "applied"


def test_a_webhook_of_a_former_release_takes_every_judgement(world: World) -> None:
    world.forget("passedOn.id")
    world.judge("held", of=AGAIN)
    world.judge("quarantined", of=FIRST)
    assert world.document["outcome"] == "quarantined"


def test_what_a_former_release_left_held_is_asked_about_from_the_next_start_on(world: World) -> None:
    world.judge("held")
    world.forget("job", "passedOn.id")
    assert not world.is_asked_for
    world.start()
    assert world.is_asked_for
    job = world.document["job"]
    world.start()
    assert world.document["job"] == job
    world.judge("quarantined")
    world.start()
    assert not world.is_asked_for
