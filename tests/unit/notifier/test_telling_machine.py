"""What users are told, by several replicas at once that may stop or die anywhere, in whatever order the news comes."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from pymongo.asynchronous.database import AsyncDatabase

from services.notifier import domain
from services.notifier.audience import Audience
from services.notifier.domain import News, Notification
from services.notifier.store import Store
from services.notifier.workflow import Telling
from shared.contracts.events import (
    Event,
    NotificationCreated,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
    VideoUnanswered,
    WorkflowFailed,
    WorkflowStarted,
)
from shared.contracts.videos import VideoMetadata
from shared.delivery.outbox import Document
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.turns import Run, Turn

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
USER = "ann"
NEWS = (
    *("unknown", "started", "download", "adopting", "unanswered"),
    *("failed", "cancelled", "ready", "not stored", "removed"),
)


def news_of(name: str, video_id: str, attempt: int) -> News | None:
    about: dict[str, Any] = {"id": f"{video_id}:{attempt}:{name}", "video_id": video_id, "user_id": USER}
    about |= {"attempt": attempt, "time": NOW}
    titled, run = {**about, "title": "Rates"}, {"email": "a@example.com"}
    why: dict[str, Any] = {"message": "It broke.", "retryable": True}
    match name:
        case "unknown" | "started":
            certain = name == "started"
            event = WorkflowStarted(**titled, **run, kind="create", certain=certain, estimated_completion=NOW)
            return domain.rendering_started(event)
        case "download" | "adopting":
            return domain.download_started(TransferStarted(**titled, adopted=name == "adopting"))
        case "unanswered":
            return domain.failed(VideoUnanswered(**titled, **why, code="UNANSWERED"))
        case "failed" | "cancelled":
            code = "CANCELLED" if name == "cancelled" else "WORKFLOW_TIMEOUT"
            return domain.failed(WorkflowFailed(**titled, **run, **why, code=code))
        case "ready":
            return domain.completed(VideoReady(**titled, s3_key="k.mp4", metadata=VideoMetadata(size=9)))
        case "not stored":
            return domain.failed(VideoFailed(**titled, **why, code="NOT_A_VIDEO"))
    return domain.removed(VideoRemoved(**about))


class TellingMachine(RuleBasedStateMachine):
    said = Bundle("said")

    def __init__(self) -> None:
        super().__init__()
        self.notifications, self.heads = Memory("source"), Memory()
        parts = {"notifications": self.notifications.collection, "heads": self.heads.collection}
        database = cast("AsyncDatabase[Document]", parts)

        def outbox(_: object, *, keep: timedelta) -> Post:
            return Post(self.notifications, keep=keep)

        self.sent: list[NotificationCreated] = []
        store = Store(database, outbox, timedelta(days=30))
        self.telling = Telling(store, cast("Audience", self), self.send, METRICS)
        self.parked: list[tuple[Run, News]] = []
        self.highest: dict[str, int] = defaultdict(int)
        self.stored: list[Document] = []
        self.removed: set[str] = set()

    def teardown(self) -> None:
        for run, _ in self.parked:
            run.kill()

    def give(self, notification: Notification) -> None:
        """Be the audience: what is shown is stored."""
        self.look()
        shown = self.stored[notification.seq - 1]
        assert (shown["order"], shown["payload"]) == (notification.order, notification.payload)

    async def send(self, event: Event) -> None:
        await Turn()
        assert isinstance(event, NotificationCreated)
        self.sent.append(event)

    names = st.sampled_from(NEWS)
    videos = st.sampled_from(["ann_1", "ann_2"])

    @rule(target=said, name=names, video=videos, attempt=st.integers(1, 3), until=st.integers(0, 12))
    def hear(self, name: str, video: str, attempt: int, until: int) -> tuple[str, str, int]:
        self.tell(name, video, attempt, until)
        return name, video, attempt

    @rule(what=said, until=st.integers(0, 12))
    def again(self, what: tuple[str, str, int], until: int) -> None:
        self.tell(*what, until)

    @rule(what=said)
    def twice(self, what: tuple[str, str, int]) -> None:
        """What comes again is not told again; of an end it is said how far its owner was told."""
        self.tell(*what, 99)
        count, sent = len(self.stored), len(self.sent)
        self.tell(*what, 99)
        assert len(self.stored) == count
        news = news_of(*what)
        if news is not None and news.is_asked_about:
            assert [one.order for one in self.sent[sent:]] == [self.highest[what[1]]]

    @precondition(lambda self: self.parked)
    @rule(pick=st.integers(0, 9), until=st.integers(1, 12))
    def go_on(self, pick: int, until: int) -> None:
        self.advance(*self.parked.pop(pick % len(self.parked)), until)

    @precondition(lambda self: self.parked)
    @rule(pick=st.integers(0, 9))
    def kill(self, pick: int) -> None:
        """A replica dies, and another one gets its message."""
        run, news = self.parked.pop(pick % len(self.parked))
        run.kill()
        self.parked.append((Run(self.telling.tell(news)), news))

    def tell(self, name: str, video: str, attempt: int, until: int) -> None:
        news = news_of(name, video, attempt)
        assert (news is None) == (name == "adopting"), "who saw an end is not told of a download"
        if news is not None:
            self.advance(Run(self.telling.tell(news)), news, until)

    def advance(self, run: Run, news: News, until: int) -> None:
        while not run.done and until:
            run.step()
            self.look()
            until -= 1
        if not run.done:
            self.parked.append((run, news))
            return
        told = [one for one in self.stored if one["videoId"] == news.video_id]
        assert told, "neither told nor told better"
        assert told[-1]["order"] >= news.order, "neither told nor told better"
        last = told[-1]["payload"]
        if news.payload["type"] == "removed":
            assert last["type"] == "removed"
        if news.payload["type"] == "complete" and last["attempt"] == news.payload["attempt"]:
            assert last["type"] in ("complete", "removed") or last["code"] == "CANCELLED", "its owner never hears of it"

    def look(self) -> None:
        """Hold the new notifications against those before."""
        stored = sorted(self.notifications.documents.values(), key=lambda one: one["seq"])
        new = stored[len(self.stored) :]
        assert [one["seq"] for one in stored[: len(self.stored)]] == [one["seq"] for one in self.stored]
        self.stored = stored
        for one in new:
            assert one["seq"] == stored.index(one) + 1, "a gap"
            video = one["videoId"]
            assert one["order"] > self.highest[video], "told of what was over"
            assert video not in self.removed, "told after its removal"
            if one["payload"]["type"] == "removed":
                self.removed.add(video)
            attempt, rank = divmod(one["order"], 1000)
            was_attempt, was_rank = divmod(self.highest[video], 1000)
            if attempt == was_attempt and was_rank >= 90:
                assert rank == 99 or (was_rank, rank) == (90, 95), "a second end"
            self.highest[video] = one["order"]


def test_whatever_users_are_told() -> None:
    run_state_machine_as_test(TellingMachine, settings=settings(max_examples=50, stateful_step_count=40))
