"""When a video that nobody answers for is given up."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from services.gateway.domain import Accepted, Video, VideoRequest
from services.gateway.store.view_documents import to_document
from services.gateway.workflow.reannouncing import Reannouncing, unanswered_video
from services.gateway.workflow.unheard import Unheard
from shared.contracts.events import Event
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics

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
        self.behind = timedelta(0)
        self.given_up: list[Video] = []
        self.moved_on = False
        unheard = Unheard(self._give_up, MOST)
        self._asking = Reannouncing(
            cast("Outbox", self),
            unanswered_video,
            Metrics(),
            lambda: self.behind,
            first=WAIT,
            most=WAIT,
            ends=unheard.ends,
        )

    async def ask(self, times: int = 1) -> None:
        for _ in range(times):
            await self._asking.work(cast("Lease", _Lease(self.document)))

    async def _give_up(self, video: Video) -> bool:
        if not self.moved_on:
            self.given_up.append(video)
        return not self.moved_on

    def carry(self, update: Document, *_: Event) -> Document:
        return update

    def nudge(self, document_id: object) -> None:
        """Nothing is published here."""


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


async def test_what_was_asked_about_for_so_long_without_news_is_given_up(asked: Asked) -> None:
    await asked.ask(ASKED_IN_VAIN)
    assert not asked.given_up
    await asked.ask()
    assert [video.video_id for video in asked.given_up] == ["ann_1"]


async def test_news_begins_the_time_anew(asked: Asked) -> None:
    await asked.ask(ASKED_IN_VAIN)
    asked.document["updatedAt"] += timedelta(seconds=1)
    await asked.ask(ASKED_IN_VAIN)
    assert not asked.given_up


@pytest.mark.parametrize("away", [{"outboxAt": NOW}, {}], ids=["nothing is published", "answers wait to be heard"])
async def test_an_outage_of_ours_ends_nothing(asked: Asked, away: dict[str, Any]) -> None:
    await asked.ask(ASKED_IN_VAIN)
    asked.document.update(away)
    asked.behind = timedelta(0) if away else timedelta(hours=1)
    await asked.ask(10)
    assert not asked.given_up


async def test_what_moved_on_meanwhile_is_asked_about_as_before(asked: Asked) -> None:
    asked.moved_on = True
    await asked.ask(ASKED_IN_VAIN + 3)
    assert asked.document["asked"]["seconds"] == (ASKED_IN_VAIN + 3) * WAIT.total_seconds()


async def test_what_ended_is_not_given_up(asked: Asked) -> None:
    asked.document.update(status="ready")
    await asked.ask(ASKED_IN_VAIN + 3)
    assert not asked.given_up
