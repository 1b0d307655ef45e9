"""When an answer that is missing is asked for again, and when it may only not have been heard yet."""

from datetime import timedelta
from typing import Any, cast

import pytest

from services.gateway.workflow.asking import deleted
from services.gateway.workflow.reannouncing import FAR_BEHIND, Reannouncing
from shared.contracts.events import Event
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics

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
    ("behind", "document", "asked"),
    [
        (timedelta(0), {}, [ASKED]),
        (FAR_BEHIND, {}, [ASKED]),
        (FAR_BEHIND + timedelta(seconds=1), {}, []),
        (timedelta(0), {"outboxAt": "not published yet"}, []),
    ],
)
async def test_nothing_is_asked_while_the_answer_may_wait_to_be_heard(
    behind: timedelta, document: dict[str, Any], asked: list[Event]
) -> None:
    outbox, lease = FakeOutbox(), FakeLease(**document)
    first, most = timedelta(seconds=30), timedelta(minutes=5)
    asking = Reannouncing(cast("Outbox", outbox), lambda _: [ASKED], Metrics(), lambda: behind, first=first, most=most)
    await asking.work(cast("Lease", lease))
    assert outbox.carried == asked
    assert len(lease.waits) == 1
