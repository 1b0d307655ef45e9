"""The view of a video under news of all services: in any order, repeated, late, contradicting, of older attempts.

What the view shows must follow from the set of news alone: the machine keeps that set and says what it means.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from services.gateway.domain import FOREVER
from shared.contracts.events import (
    Event,
    NotificationCreated,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.contracts.videos import VideoMetadata
from shared.delivery.outbox import Document
from tests.unit.gateway.view_world import NOW, USER, VIDEO, World
from tests.unit.turns import Run

NEWS = (
    *("unknown", "started", "progressed", "completed", "adopted", "failed", "cancelled"),
    *("transferring", "transferred", "ready", "ready other", "not stored", "refused", "stopped"),
)
OFTEN = ("unknown", "started", "completed", "adopted", "adopted", "failed", "failed", "not stored", "not stored")
"""What an end that stands above all others hides most often; so it is drawn more often than that."""


OF_ITS_USER = {"title", "fields", "error", "message", "progress", "slot", "s3Key", "resultUrl", "resultKey"}


def news_of(name: str, attempt: int) -> Event:
    """Return the event: the same name and attempt make the same one."""
    about: dict[str, Any] = {"id": f"{name}:{attempt}", "video_id": VIDEO, "user_id": USER, "attempt": attempt}
    about |= {"time": NOW, "title": "Rates"}
    run: dict[str, Any] = {"email": "a@example.com", "execution_id": "7"}
    why: dict[str, Any] = {"message": "It broke.", "retryable": True}
    match name:
        case "unknown" | "started":
            certain = name == "started"
            return WorkflowStarted(**about, **run, kind="create", certain=certain, estimated_completion=NOW)
        case "progressed":
            return WorkflowProgressed(**about, progress=40.0, message="scene 2", execution_id="7")
        case "completed" | "adopted":
            url = f"https://files.example.com/{attempt}.mp4"
            return WorkflowCompleted(**about, **run, video_url=url, adopted=name == "adopted")
        case "failed" | "cancelled":
            return WorkflowFailed(**about, **run, **why, code="WORKFLOW_TIMEOUT" if name == "failed" else "CANCELLED")
        case "transferring":
            return TransferStarted(**about)
        case "transferred":
            return TransferProgressed(**about, transferred_bytes=5, size_bytes=10)
        case "ready" | "ready other":
            return VideoReady(**about, s3_key=f"{name}.mp4", poster_key=f"{name}.jpg", metadata=VideoMetadata(size=9))
    codes = {"not stored": "SOURCE_UNREACHABLE", "refused": "NOT_A_VIDEO", "stopped": "CANCELLED"}
    return VideoFailed(**about, **why, code=codes[name])


def meaning(news: set[str], attempt: int) -> tuple[str, set[str], str | None]:
    """Return the status, the stages that may be shown, and which part failed, of an attempt with this news."""
    if news & {"cancelled", "stopped", "cancelled by its owner"}:
        return "failed", {"cancelled"}, "user"
    if news & {"ready", "ready other"}:
        return "ready", {"ready"}, None
    if news & {"not stored", "refused"}:
        return "failed", {"failed"}, "transfer"
    if "failed" in news:
        return "failed", {"failed", "adopting"} if "adopted" in news else {"failed"}, "workflow"
    if "unanswered" in news:
        return "failed", {"failed"}, "user"
    for name, stage in (("transferring", "transferring"), ("completed", "completed"), ("adopted", "completed")):
        if name in news:
            return "processing", {stage}, None
    for name, stage in (("started", "rendering"), ("unknown", "unknown")):
        if name in news:
            return "processing", {stage}, None
    return "pending" if attempt == 1 else "processing", {"queued"}, None


def entry_of(news: set[str], *, superseded: bool) -> str | None:
    """Return how the workflow history shows an attempt with this news."""
    if news & {"completed", "adopted"}:
        return "completed"
    if news & {"failed", "cancelled", "unanswered when begun"}:
        return "failed"
    if news & {"unknown", "started"}:
        return "failed" if superseded else "pending"
    return None


@dataclass(eq=False)
class Way:
    """News that is being handled."""

    run: Run
    attempt: int
    name: str


class ViewMachine(RuleBasedStateMachine):
    said = Bundle("said")

    def __init__(self) -> None:
        super().__init__()
        self.logs = capture_logs()
        self.logs.__enter__()
        self.world = World()
        self.attempt = 1
        self.news: dict[int, set[str]] = defaultdict(set)
        self.files: dict[int, str] = {}
        self.deleted = False
        self.parked: list[Way] = []
        self.before: Document = dict(self.world.video)

    def teardown(self) -> None:
        for way in self.parked:
            way.run.kill()
        self.logs.__exit__(None, None, None)

    @rule(
        target=said, name=st.sampled_from(NEWS + OFTEN), back=st.sampled_from([0, 0, 0, 1, 2]), until=st.integers(0, 9)
    )
    def hear(self, name: str, back: int, until: int) -> tuple[str, int]:
        attempt = max(1, self.attempt - back)
        self.tell(name, attempt, until)
        return name, attempt

    @rule(what=said, until=st.integers(0, 9))
    def again(self, what: tuple[str, int], until: int) -> None:
        self.tell(*what, until)

    @rule(what=said)
    def twice(self, what: tuple[str, int]) -> None:
        self.tell(*what, 99)
        before = _shown(self.world.video)
        self.tell(*what, 99)
        assert _shown(self.world.video) == before

    @precondition(lambda self: self.parked)
    @rule(pick=st.integers(0, 9), until=st.integers(1, 9))
    def go_on(self, pick: int, until: int) -> None:
        self.advance(self.parked.pop(pick % len(self.parked)), until)

    @rule(attempt=st.integers(1, 3), rank=st.sampled_from([31, 90, 95, 99]), forever=st.booleans())
    def owner_hears(self, attempt: int, rank: int, forever: bool) -> None:
        order = FOREVER if forever and self.deleted else min(attempt, self.attempt) * 1000 + rank
        event = NotificationCreated(id="1", user_id=USER, seq=1, video_id=VIDEO, order=order)
        Run(self.world.topics.handling(event)).finish()
        self.look(None)

    @rule()
    def progress_is_written(self) -> None:
        Run(self.world.view.progress.flush()).finish()
        self.look(None)

    @rule()
    def retry(self) -> None:
        self.quiet()
        failed = self.world.video["status"] == "failed"
        Run(self.world.retry()).finish()
        self.attempt += failed
        assert self.world.video["attempt"] == self.attempt
        self.look(None)

    @rule()
    def cancel(self) -> None:
        self.quiet()
        if self.running() or self.unanswered():
            self.news[self.attempt].add("cancelled by its owner")
        Run(self.world.cancel()).finish()
        self.look(None)

    @rule()
    def nobody_answers(self) -> None:
        self.quiet()
        if self.running() or self.unanswered():
            begun = self.news[self.attempt] & {"unknown", "started"}
            self.news[self.attempt] |= {"unanswered", *(["unanswered when begun"] if begun else [])}
        Run(self.world.ask_in_vain()).finish()
        self.look(None)
        self.compare()

    @rule()
    def nobody_answers_and_the_gateway_dies(self) -> None:
        """It has ended the video by then, but not the history's entry."""
        self.quiet()
        if self.running():
            run = Run(self.world.ask_in_vain())
            while not self.unanswered():
                run.step()
            run.kill()
            self.news[self.attempt].add("unanswered")
        self.look(None)
        self.compare()

    def running(self) -> bool:
        return self.world.video["status"] in ("pending", "processing")

    def unanswered(self) -> bool:
        return bool(self.world.video.get("error", {}).get("code") == "UNANSWERED")

    @precondition(lambda self: self.attempt > 1)
    @rule()
    def delete(self) -> None:
        Run(self.world.delete()).finish()
        self.look(None)
        self.deleted = True

    # --- how --------------------------------------------------------------------------------------------------

    def quiet(self) -> None:
        """Let what is under way come to its end."""
        while self.parked:
            self.advance(self.parked.pop(), 99)

    def tell(self, name: str, attempt: int, until: int) -> None:
        self.advance(Way(Run(self.world.topics.handling(news_of(name, attempt))), attempt, name), until)

    def advance(self, way: Way, until: int) -> None:
        while not way.run.done and until:
            way.run.step()
            self.look(way)
            until -= 1
        if not way.run.done:
            self.parked.append(way)
            return
        self.news[way.attempt].add(way.name)
        self.compare()

    def look(self, way: Way | None) -> None:
        """Hold the view against what was there before."""
        before, now = self.before, dict(self.world.video)
        self.before = now
        assert now["order"] >= before["order"], "it went backwards"
        if self.deleted or (way is not None and way.attempt < self.attempt):
            assert _shown(now) == _shown(before), "changed by news that is none any more"
        if now["order"] >= FOREVER:
            assert now["status"] == "deleted"
            assert not now.keys() & OF_ITS_USER
            return
        running = now["status"] in ("pending", "processing")
        assert running == ("slot" in now), "its place in the quota"
        assert running <= ("job" in now), "nobody asks about it any more"
        assert running or not now.keys() & {"progress", "message"}
        if now["status"] == "ready":
            assert self.files.setdefault(self.attempt, now["s3Key"]) == now["s3Key"], "another file"

    def compare(self) -> None:
        """Hold the view against what all the news means, once nothing is under way."""
        now = self.world.video
        if self.parked or now["order"] >= FOREVER:
            return
        status, stages, origin = meaning(self.news[self.attempt], self.attempt)
        shown = (now["status"], now["stage"], now.get("error", {}).get("origin"))
        assert shown[0] == status, f"{shown} after {self.news}"
        assert shown[1] in stages, f"{shown} after {self.news}"
        assert shown[2] == origin, f"{shown} after {self.news}"
        for attempt, news in self.news.items():
            entry = self.world.history.documents.get(f"{VIDEO}:{attempt}", {})
            assert entry.get("status") == entry_of(news, superseded=attempt < self.attempt)


def _shown(video: Document) -> Document:
    """Return the view without what only says when somebody looked, or was asked, last."""
    passing = ("updatedAt", "job", "asked", "toldOrder", "traceparent", "outbox", "outboxAt")
    return {name: value for name, value in video.items() if name not in passing}


def test_whatever_is_told_of_a_video() -> None:
    run_state_machine_as_test(ViewMachine, settings=settings(max_examples=100, stateful_step_count=50))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(NEWS + OFTEN), unique=True, max_size=8), st.data())
def test_the_order_of_the_news_makes_no_difference(names: list[str], data: st.DataObject) -> None:
    """Of two that contradict each other the first counts, so only one of each is told here."""
    told = [name for name in names if name not in ("ready other", "refused", "stopped")]
    ends = [_end_of(data.draw(st.permutations(told + told))) for _ in range(2)]
    assert ends[0] == ends[1]


def _end_of(names: list[str]) -> tuple[Document, Document]:
    world = World()
    for name in names:
        Run(world.topics.handling(news_of(name, 1))).finish()
    shown = ["status", "stage", "order", "error", "slot"]
    shown += ["s3Key", "posterKey", "metadata"] if world.video["status"] == "ready" else []
    video = {name: world.video.get(name) for name in shown}
    if video["stage"] == "adopting":  # where its news came before that of the failure, nothing is said of it
        video["stage"] = "failed"
    entry = dict(world.history.documents.get(f"{VIDEO}:1", {}))
    return video, entry


def test_an_entry_whose_video_was_given_up_just_before_a_crash_is_ended_the_next_time() -> None:
    world = World()
    Run(world.topics.handling(news_of("started", 1))).finish()
    dying = Run(world.ask_in_vain())
    while world.video["status"] != "failed":
        dying.step()
    dying.kill()
    (entry,) = world.history.documents.values()
    assert entry["status"] == "pending"
    Run(world.ask_in_vain()).finish()
    (entry,) = world.history.documents.values()
    assert entry["status"] == "failed"
