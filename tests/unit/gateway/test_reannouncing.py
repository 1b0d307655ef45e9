"""When an answer that is missing is asked for again, and when it may only not have been heard yet."""

from datetime import timedelta
from typing import Any, cast

import pytest

from services.gateway.app import build
from services.gateway.settings import GatewaySettings
from services.gateway.workflow.asking import deleted
from services.gateway.workflow.reannouncing import FAR_BEHIND, Reannouncing, hears, unanswered_video
from shared.contracts.events import Event, VideoCancelled, VideoRetryRequested
from shared.contracts.wire import utc_now
from shared.delivery.backlog import Backlog
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.delivery.workers import MayBegin
from shared.wiring.metrics import Metrics
from shared.wiring.runtime import Runtime
from tests.unit.gateway.view_model import news_of
from tests.unit.gateway.view_world import World
from tests.unit.turns import Run

ASKED = deleted("ann_1", "ann", 1)


class FakeOutbox:
    """Counts what is published."""

    def __init__(self) -> None:
        self.carried: list[Event] = []

    def carry(self, update: Document, *events: Event) -> Document:
        self.carried += events
        return update

    def nudge(self, document_id: object) -> None:
        """Nothing is published here."""


class FakeLease:
    """Remembers whether the job comes again."""

    id = "ann_1"
    tries = 1

    def __init__(self, **document: Any) -> None:
        self.document = document
        self.waits: list[timedelta] = []

    async def again(self, after: timedelta, update: Document | None = None) -> None:
        self.waits.append(after)
        assert not update, "of a webhook nothing is noted"


@pytest.mark.parametrize(
    ("behind", "asks"), [(timedelta(0), True), (FAR_BEHIND, True), (FAR_BEHIND + timedelta(seconds=1), False)]
)
def test_nothing_is_asked_while_the_answer_may_wait_to_be_heard(behind: timedelta, asks: bool) -> None:
    assert hears(lambda: behind)() is asks


@pytest.mark.parametrize(("behind", "begins"), [(timedelta(0), True), (timedelta(hours=1), False)])
def test_a_gateway_that_is_far_behind_begins_no_asking(
    monkeypatch: pytest.MonkeyPatch, behind: timedelta, begins: bool
) -> None:
    asking: list[MayBegin] = []

    def workers(*_: object, may_begin: MayBegin, **__: object) -> None:
        asking.append(may_begin)

    monkeypatch.setattr(Runtime, "workers", workers)
    monkeypatch.setattr(Backlog, "behind", lambda _: behind)
    build(GatewaySettings(s3_access_key="key", s3_secret_key="secret"))
    assert [may_begin() for may_begin in asking] == [begins, begins]


@pytest.mark.parametrize(("document", "asked"), [({}, [ASKED]), ({"outboxAt": "not published yet"}, [])])
async def test_nothing_is_asked_before_the_last_time_was_published(
    document: dict[str, Any], asked: list[Event]
) -> None:
    outbox, lease = FakeOutbox(), FakeLease(**document)
    first, most = timedelta(seconds=30), timedelta(minutes=5)
    asking = Reannouncing(cast("Outbox", outbox), lambda _: [ASKED], Metrics(), first=first, most=most)
    await asking.work(cast("Lease", lease))
    assert outbox.carried == asked
    assert len(lease.waits) == 1


def test_what_is_asked_again_says_when_it_was_asked_first() -> None:
    """By that time the timeline is sorted: a cancellation must not stand before the retry that it ended."""
    world = World()
    Run(world.topics.handling(news_of("failed", 1))).finish()
    Run(world.retry()).finish()
    Run(world.cancel()).finish()
    world.published()
    first = [event for event in world.asked if isinstance(event, VideoRetryRequested | VideoCancelled)]
    while utc_now() <= first[-1].time:
        """A millisecond has to pass."""
    again = unanswered_video(world.video)
    assert [(event.id, event.time) for event in again] == [(event.id, event.time) for event in first]
