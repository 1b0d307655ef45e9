"""The view of a video under news of all services: in any order, repeated, late, contradicting, of older attempts.

What the view shows must follow from the set of news alone: the machine keeps that set, view_model says what it means.
"""

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from services.gateway.domain import FOREVER
from shared.contracts.events import NotificationCreated
from shared.delivery.outbox import Document
from tests.unit.gateway.view_model import NEWS, OF_ITS_USER, OFTEN, entry_of, meaning, news_of, shown
from tests.unit.gateway.view_world import USER, VIDEO, World
from tests.unit.turns import Run


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
        before = shown(self.world.video)
        self.tell(*what, 99)
        assert shown(self.world.video) == before

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
            assert shown(now) == shown(before), "changed by news that is none any more"
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
        seen = (now["status"], now["stage"], now.get("error", {}).get("origin"))
        assert seen[0] == status, f"{seen} after {self.news}"
        assert seen[1] in stages, f"{seen} after {self.news}"
        assert seen[2] == origin, f"{seen} after {self.news}"
        for attempt, news in self.news.items():
            entry = self.world.history.documents.get(f"{VIDEO}:{attempt}", {})
            assert entry.get("status") == entry_of(news, superseded=attempt < self.attempt)


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
    kept = ["status", "stage", "order", "error", "slot"]
    kept += ["s3Key", "posterKey", "metadata", "resultUrl"] if world.video["status"] == "ready" else []
    video = {name: world.video.get(name) for name in kept}
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
