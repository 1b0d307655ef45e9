"""When a video that nobody answers for is given up."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from services.gateway.domain import Accepted, Failure, Video, VideoRequest
from services.gateway.store.history import History
from services.gateway.store.videos import Videos
from services.gateway.store.view_documents import to_document
from services.gateway.workflow.reannouncing import Reannouncing, unanswered_video
from services.gateway.workflow.unheard import Unheard, asking_for
from shared.contracts.events import Event, NotificationCreated, VideoUnanswered, WorkflowStarted
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from tests.unit.collection import METRICS
from tests.unit.gateway.view_world import VIDEO, World
from tests.unit.turns import Run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT, MOST = timedelta(minutes=5), timedelta(minutes=14)
ASKED_IN_VAIN = 3
"""So often MOST has room for a WAIT."""


class Asked:
    """One video nobody answers for; each claim of its job is one time of asking."""

    def __init__(self) -> None:
        request = VideoRequest("ann", "generate", "A tour", "ann@example.com", {})
        accepted = Accepted("ann_1", "video_1", "generate", NOW, NOW + timedelta(minutes=15))
        self.document = to_document(accepted, request, slot=0, key=None, body_hash="h")
        self.asked = 0
        self.given_up: list[str] = []
        asking = Reannouncing(
            cast("Outbox", self),
            unanswered_video,
            METRICS,
            first=WAIT,
            most=WAIT,
            noting=asking_for,
        )
        self._unheard = Unheard(cast("Videos", self), cast("History", _History()), METRICS, asking.work, MOST)

    async def ask(self, times: int = 1) -> None:
        for _ in range(times):
            await self._unheard.work(cast("Lease", _Lease(self.document)))

    async def give_up(self, video: Video, failure: Failure, _: Event) -> bool:
        self.given_up.append(failure.code)
        self.document.update(status="failed")
        return True

    def carry(self, update: Document, *_: Event) -> Document:
        self.asked += 1
        return update

    def nudge(self, document_id: object) -> None:
        """Nothing is published here."""


class _History:
    async def give_up(self, *_: object) -> None:
        """What becomes of its entry is for the view machine."""


class _Lease:
    id = "ann_1"
    tries = 100

    def __init__(self, document: Document) -> None:
        self.document = document

    async def again(self, _: timedelta, update: Document | None = None) -> None:
        self.document.update((update or {}).get("$set", {}))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr("services.gateway.workflow.reannouncing.backoff", lambda *_, **__: WAIT)
    return Asked()


async def test_what_was_asked_about_for_so_long_without_news_is_given_up_once_and_asked_about_on(asked: Asked) -> None:
    await asked.ask(ASKED_IN_VAIN)
    assert not asked.given_up
    await asked.ask(3)
    assert asked.given_up == ["UNANSWERED"]
    assert asked.asked == ASKED_IN_VAIN + 3


async def test_news_begins_the_time_anew(asked: Asked) -> None:
    await asked.ask(ASKED_IN_VAIN)
    asked.document["updatedAt"] += timedelta(seconds=1)
    await asked.ask(ASKED_IN_VAIN)
    assert not asked.given_up


async def test_an_outage_of_ours_does_not_count(asked: Asked) -> None:
    await asked.ask(ASKED_IN_VAIN - 1)
    asked.document["outboxAt"] = NOW
    await asked.ask(10)
    assert not asked.given_up
    assert asked.asked == ASKED_IN_VAIN - 1


async def test_what_ended_is_not_given_up(asked: Asked) -> None:
    asked.document.update(status="ready")
    await asked.ask(ASKED_IN_VAIN + 3)
    assert not asked.given_up


def test_it_is_told_until_its_owner_knows(world: World) -> None:
    Run(world.ask_in_vain()).finish()
    request, told = unanswered_video(world.video)
    assert (type(told), told.time) == (VideoUnanswered, world.video["updatedAt"])
    order = world.video["order"]
    known = NotificationCreated(id="1", user_id="ann", seq=1, video_id=VIDEO, order=order)
    Run(world.topics.handling(known)).finish()
    assert unanswered_video(world.video) == (request,), "it is asked about on"


@pytest.mark.parametrize(("begun", "shown"), [(-1, "failed"), (1, "pending")])
def test_what_was_begun_only_afterwards_is_under_way(world: World, begun: int, shown: str) -> None:
    Run(world.ask_in_vain()).finish()
    at = world.video["updatedAt"] + timedelta(seconds=begun)
    run: dict[str, Any] = {"email": "a@example.com", "execution_id": "7", "kind": "create", "certain": True}
    about: dict[str, Any] = {"id": "s", "video_id": VIDEO, "user_id": "ann", "attempt": 1, "title": "Rates", "time": at}
    Run(world.topics.handling(WorkflowStarted(**about, **run, estimated_completion=at))).finish()
    Run(world.ask_in_vain()).finish()
    assert [entry["status"] for entry in world.history.documents.values()] == [shown]


@pytest.fixture
def world() -> World:
    return World()
