"""The record of a video's file: whatever is asked for and delivered, with workers that die, or wake up too late."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from services.media import answers, notes
from services.media.claims import Claims
from services.media.domain import HopelessError
from services.media.endings import Endings
from services.media.handlers import register
from services.media.mover import Moved
from services.media.store import ERASE, Assets, attempt_of
from services.media.sweeper import Sweeper
from services.media.workflow import Workflow
from shared.contracts.events import (
    Event,
    TransferStarted,
    VideoCancelled,
    VideoDeleted,
    VideoEvent,
    VideoFailed,
    VideoImportRequested,
    VideoReady,
    VideoRemoved,
    VideoRetryRequested,
    WorkflowCompleted,
)
from shared.contracts.videos import FailureCode, VideoMetadata
from shared.delivery.leases import Lease, LeaseLostError
from shared.delivery.outbox import Document
from shared.delivery.workers import Workers
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.topics_in import TopicsIn
from tests.unit.turns import Run

VIDEO, USER = "ann_1", "ann"
URLS = [f"https://files.example.com/{name}.mp4" for name in "ab"]

numbers = st.integers(1, 3)
turns = st.one_of(st.none(), st.integers(0, 4))


@dataclass(eq=False)
class Way:
    """News or a job under way."""

    run: Run
    event: VideoEvent | None = None


class AssetMachine(RuleBasedStateMachine):
    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.logs = capture_logs()
        self.logs.__enter__()
        self.memory, self.claims = Memory(), Memory()
        self.post = Post(self.memory)
        claims = Claims(self.claims.collection)
        workflow = Workflow(Assets(self.memory.collection, self.post), claims, cast("Workers", self))
        self.endings = Endings(claims, cast("Sweeper", self), self.post, METRICS)
        self.topics = TopicsIn()
        register(self.topics.inbox, workflow)
        self.before: Document = {"order": 0}
        self.told: dict[int, list[Event]] = defaultdict(list)
        self.sources: dict[int, Document] = {}
        self.cancelled: set[int] = set()
        self.deleted = False
        self.count = 0
        self.parked: list[Way] = []

    def teardown(self) -> None:
        for way in self.parked:
            way.run.kill()
        self.logs.__exit__(None, None, None)

    def wake(self) -> None:
        """Be the workers: they are woken by the test."""

    async def erase(self, claim: object) -> None:
        """Be the sweeper."""

    # --- what comes in ------------------------------------------------------------------------------------

    @rule(target=events, number=numbers, url=st.sampled_from(URLS), adopted=st.booleans(), until=turns)
    def completed(self, number: int, url: str, adopted: bool, until: int | None) -> Event:
        about = {**_about("completed", number), "title": "Rates", "email": "a@example.com"}
        return self.deliver(WorkflowCompleted(**about, video_url=url, adopted=adopted), until)

    @rule(target=events, number=numbers, name=st.sampled_from("ab"), until=turns)
    def completed_in_the_bucket(self, number: int, name: str, until: int | None) -> Event:
        about = {**_about("completed", number), "title": "Rates", "email": "a@example.com"}
        return self.deliver(WorkflowCompleted(**about, s3_key=f"videos/{USER}/{name}.mp4"), until)

    @rule(target=events, until=turns)
    def imported(self, until: int | None) -> Event:
        about = {**_about("requested", 1), "title": "Rates", "request_id": "r"}
        return self.deliver(VideoImportRequested(**about, video_url=URLS[0]), until)

    @rule(target=events, number=st.integers(2, 3), url=st.sampled_from([None, *URLS]), until=turns)
    def retried(self, number: int, url: str | None, until: int | None) -> Event:
        about = {**_about("retried", number), "title": "Rates", "request_id": "r", "kind": "create"}
        return self.deliver(VideoRetryRequested(**about, restart="transfer", video_url=url), until)

    @rule(target=events, number=numbers, until=turns)
    def cancel(self, number: int, until: int | None) -> Event:
        return self.deliver(VideoCancelled(**_about("cancelled", number), title="Rates"), until)

    @precondition(lambda self: self.count > 6)
    @rule(target=events, until=turns)
    def delete(self, until: int | None) -> Event:
        return self.deliver(VideoDeleted(**_about("deleted", 1), title="Rates"), until)

    @rule(event=events, until=turns)
    def again(self, event: VideoEvent, until: int | None) -> None:
        self.deliver(event, until)

    @rule(event=events)
    def twice(self, event: VideoEvent) -> None:
        self.deliver(event, None)
        before = _kept(self.memory.documents[VIDEO])
        self.deliver(event, None)
        assert _kept(self.memory.documents[VIDEO]) == before

    # --- what is done about it ----------------------------------------------------------------------------

    @precondition(lambda self: "job" in self.memory.documents.get(VIDEO, {}))
    @rule(stored=st.booleans(), until=turns)
    def work(self, stored: bool, until: int | None) -> None:
        """A worker takes the job, also from one that is thought dead, and brings it to its end."""
        lease = self.memory.claim(VIDEO)
        assert lease is not None
        self.advance(Way(Run(self.end(lease, stored))), until)

    @precondition(lambda self: self.parked)
    @rule(pick=st.integers(0, 9), until=turns)
    def go_on(self, pick: int, until: int | None) -> None:
        self.advance(self.parked.pop(pick % len(self.parked)), until)

    @precondition(lambda self: self.parked)
    @rule(pick=st.integers(0, 9))
    def kill(self, pick: int) -> None:
        way = self.parked.pop(pick % len(self.parked))
        way.run.kill()
        if way.event is not None:
            self.parked.append(Way(Run(self.topics.handling(way.event)), way.event))

    # --- how --------------------------------------------------------------------------------------------------

    async def end(self, lease: Lease, stored: bool) -> None:
        attempt = attempt_of(lease.document)
        self.count += 1
        key = f"videos/{USER}/{self.count}.mp4"
        with contextlib.suppress(LeaseLostError):
            if lease.kind == ERASE:
                await self.endings.erased(lease, attempt, deleted=lease.document["state"] == "deleted")
                return
            await lease.write(self.post.carry({}, answers.started(attempt)))
            if stored:
                await self.endings.ready(lease, attempt, Moved(key, f"{key}.jpg", VideoMetadata(size=self.count)))
            else:
                error = HopelessError(FailureCode.NOT_A_VIDEO, "The file is no video.")
                note = notes.refused(attempt, lease.tries, error)
                await self.endings.fail(lease, attempt, error, note)

    def deliver(self, event: VideoEvent, until: int | None) -> Event:
        """Handle an event. Each topic keeps its order: the one before is handled first."""
        for way in [way for way in self.parked if way.event is not None and way.event.topic is event.topic]:
            self.parked.remove(way)
            self.advance(way, None)
        self.count += 1
        self.advance(Way(Run(self.topics.handling(event)), event), until)
        return event

    def advance(self, way: Way, until: int | None) -> None:
        while not way.run.done and until != 0:
            way.run.step()
            self.look(way.event)
            until = None if until is None else until - 1
        if not way.run.done:
            self.parked.append(way)
        elif way.event is not None:
            self.handled(way.event)

    def handled(self, event: VideoEvent) -> None:
        if isinstance(event, VideoDeleted):
            self.deleted = True
            assert self.before["state"] == "deleted"
        if isinstance(event, VideoCancelled):
            self.cancelled.add(event.attempt)
        assert self.before["order"] // 1000 >= event.attempt, "lost"
        if isinstance(event, WorkflowCompleted) and event.s3_key and self.before["order"] // 1000 == event.attempt:
            taken = self.sources.get(event.attempt, {}).get("s3Key") == event.s3_key
            assert taken or event.s3_key in self.claims.documents, "its object stays for ever"

    def look(self, event: VideoEvent | None) -> None:
        """Hold the record against what it was, and what is told against what was told."""
        now = self.memory.documents.get(VIDEO)
        if now is None:
            return
        before, self.before = self.before, dict(now)
        assert now["order"] >= before["order"], "it went backwards"
        if now["order"] == before["order"]:
            assert _kept(now) == _kept(before) or "erasedAt" in now, "changed in its place"
        if event is not None and now["order"] != before["order"] and not isinstance(event, VideoDeleted):
            assert now["attempt"] == event.attempt, "another attempt's news"
        if now["state"] == "transferring":
            assert self.sources.setdefault(now["attempt"], now["source"]) == now["source"], "another file"
        if before.get("state") == "deleted":
            assert now["state"] == "deleted", "back after its deletion"
        if now["state"] == "deleted":
            assert not now.keys() & {"title", "source", "key", "metadata"}
        for news in self.post.taken():
            self.tell(cast("VideoEvent", news))

    def tell(self, news: VideoEvent) -> None:
        told = self.told[news.attempt]
        ends = [one for one in told if isinstance(one, VideoReady | VideoFailed)]
        assert not self.deleted or isinstance(news, VideoRemoved), "told after the deletion"
        if isinstance(news, TransferStarted):
            assert not ends, "begun after its end"
        if isinstance(news, VideoReady):
            assert news.attempt not in self.cancelled, "ready after its cancellation"
            assert {_story(news)} >= {_story(one) for one in ends}, "ready after another end"
        if isinstance(news, VideoFailed) and news.code != FailureCode.CANCELLED:
            assert {_story(news)} >= {_story(one) for one in ends}, "failed after another end"
        told.append(news)


def _about(name: str, attempt: int) -> dict[str, Any]:
    return {"id": f"{name}:{attempt}", "video_id": VIDEO, "user_id": USER, "attempt": attempt}


def _kept(record: Document) -> Document:
    passing = ("job", "updatedAt", "traceparent", "outbox", "outboxAt")
    return {name: value for name, value in record.items() if name not in passing}


def _story(event: VideoReady | VideoFailed) -> tuple[str, str]:
    return event.id, event.s3_key if isinstance(event, VideoReady) else event.code


def test_whatever_happens_to_a_file() -> None:
    run_state_machine_as_test(AssetMachine, settings=settings(max_examples=100, stateful_step_count=40))
