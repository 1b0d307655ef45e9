"""Whatever happens to a video's attempts, in whatever order, as often as it likes, stopped and killed anywhere.

The machine knows nothing of the table of state × happening. It keeps what was asked for and reported, and after every
turn holds what is stored and told against what is promised (see promises.py).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from services.generator.asking import Said, Told
from services.generator.domain import Happening
from services.generator.executions import Execution
from services.generator.messages import LateResult
from services.generator.n8n import Answer
from services.generator.runs import Stop
from shared.contracts.events import (
    CompletionReported,
    Event,
    ProgressReported,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
    WorkflowErrorReported,
)
from tests.unit.generator.attempts_world import LONG, USER, VIDEO, Says, World
from tests.unit.generator.promises import Promises
from tests.unit.turns import Run

# What happens often finds more than what happens evenly.
numbers = st.sampled_from([1, 1, 1, 2, 2, 3])
maybe_numbers = st.sampled_from([1, 1, 1, 2, 2, 3, None])
turns = st.sampled_from([None, None, None, None, 0, 1, 2, 3, 3, 4, 5])  # None: to the end
picks = st.integers(0, 9)
executions = st.sampled_from([None, "7", "8"])
files = st.sampled_from(
    [
        {"video_url": "https://files.example.com/a.mp4"},
        {"video_url": "https://files.example.com/b.mp4"},
        {"s3_key": "videos/ann/a.mp4"},
        {"s3_key": "videos/ann/b.mp4"},
        {},
    ]
)
said_no = st.sampled_from([Happening.REFUSED, Happening.REJECTED, Happening.TURNED_AWAY])
answers = st.one_of(
    st.builds(Answer, st.sampled_from([Happening.TAKEN, Happening.UNCERTAIN]), st.just("status 200"), executions),
    st.builds(Answer, said_no, st.just("status 503")),
)


def _told(said: Said, execution_id: str, status: str) -> Told:
    if said is Said.RUNNING:
        return Told(said, Execution(id=execution_id, status="running"))
    return Told(said, Execution(id=execution_id, status=status) if said is Said.OVER else None)


tolds = st.builds(_told, st.sampled_from(Said), st.sampled_from(["7", "8"]), st.sampled_from(["success", "error"]))
says = st.builds(Says, answers, tolds, st.sampled_from(Stop), st.booleans())


@dataclass(eq=False)
class Way:
    """Something on its way through the generator: an event, or a worker's or a looker's job."""

    run: Run
    touches: set[int] | None = None
    event: Event | None = None


class AttemptMachine(RuleBasedStateMachine):
    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.logs = capture_logs()
        self.logs.__enter__()
        self.count = self.ways = 0
        self.parked: list[Way] = []

    @initialize(
        late_result=st.sampled_from(["adopt", "adopt", "discard"]),
        takes_result=st.booleans(),
        answer=st.none() | answers,
        got_through=st.booleans(),
        until=turns,
    )
    def begin(
        self, late_result: LateResult, takes_result: bool, answer: Answer | None, got_through: bool, until: int | None
    ) -> None:
        """Most begin with a request that is being called, or was: by themselves the rules come to that too late."""
        self.world = World(late_result)
        self.takes_result = takes_result
        self.promises = Promises(self.world)
        if answer is not None:
            self.deliver(self.request(1), None)
            self.work_at(f"{VIDEO}:1", Says(answer, Told(Said.NOTHING), got_through=got_through), until)

    def teardown(self) -> None:
        for way in self.parked:
            way.run.kill()
        self.logs.__exit__(None, None, None)

    # --- what comes in ------------------------------------------------------------------------------------

    @rule(target=events, number=numbers, until=turns)
    def requests(self, number: int, until: int | None) -> Event:
        return self.deliver(self.request(number), until)

    @precondition(lambda self: self.ways > 8)
    @rule(target=events, number=numbers, until=turns)
    def cancel(self, number: int, until: int | None) -> Event:
        id_ = f"cancelled:{number}"
        return self.deliver(VideoCancelled(id=id_, video_id=VIDEO, user_id=USER, attempt=number, title="Rates"), until)

    @precondition(lambda self: self.ways > 20)
    @rule(target=events, until=turns)
    def delete(self, until: int | None) -> Event:
        return self.deliver(VideoDeleted(id="deleted", video_id=VIDEO, user_id=USER, attempt=1, title="R"), until)

    @rule(target=events, number=maybe_numbers, file=files, execution=executions, until=turns)
    def ready(self, number: int | None, file: dict[str, str], execution: str | None, until: int | None) -> Event:
        said: dict[str, Any] = {"video_id": VIDEO, "attempt": number, "execution_id": execution, "status": "ready"}
        return self.deliver(CompletionReported(**self.received(), **said, **file), until)

    @rule(target=events, number=maybe_numbers, execution=executions, broke=st.booleans(), until=turns)
    def failed(self, number: int | None, execution: str | None, broke: bool, until: int | None) -> Event:
        said: dict[str, Any] = {"video_id": VIDEO, "attempt": number, "execution_id": execution}
        if not broke:
            return self.deliver(CompletionReported(**self.received(), **said, status="failed", error="no voice"), until)
        about = said if number else {"execution_id": execution, "workflow": "create"}
        return self.deliver(WorkflowErrorReported(**self.received(), **about, error_message="it broke"), until)

    @rule(target=events, number=numbers, execution=executions, until=turns)
    def progressed(self, number: int, execution: str | None, until: int | None) -> Event:
        said: dict[str, Any] = {"video_id": VIDEO, "attempt": number, "execution_id": execution, "progress": 20.0}
        return self.deliver(ProgressReported(**self.received(), **said), until)

    @rule(event=events, until=turns)
    def again(self, event: Event, until: int | None) -> None:
        self.deliver(event, until)

    @rule(event=events)
    def twice(self, event: Event) -> None:
        """What is handled once more right after it changes nothing."""
        self.deliver(event, None)
        before = self.world.attempts
        self.deliver(event, None)
        assert self.world.attempts == before

    # --- what is done about it ----------------------------------------------------------------------------

    @precondition(lambda self: self.world.jobs())
    @rule(pick=picks, says=says, until=turns)
    def work(self, pick: int, says: Says, until: int | None) -> None:
        """A worker takes a job that waits, or one whose worker is thought dead."""
        jobs = self.world.jobs()
        self.work_at(jobs[pick % len(jobs)], says, until)

    @precondition(lambda self: self.world.held_memory.documents)
    @rule(pick=picks, until=turns)
    def look(self, pick: int, until: int | None) -> None:
        held = list(self.world.held_memory.documents)
        self.look_at(held[pick % len(held)], until)

    @precondition(lambda self: self.parked)
    @rule(pick=picks, until=turns)
    def go_on(self, pick: int, until: int | None) -> None:
        self.advance(self.parked[pick % len(self.parked)], until)

    @precondition(lambda self: self.parked)
    @rule(pick=picks)
    def kill(self, pick: int) -> None:
        """A process dies; the event it was at is delivered to another one."""
        way = self.parked.pop(pick % len(self.parked))
        way.run.kill()
        if way.event is not None:
            self.parked.append(self.way_of(way.event))

    @precondition(lambda self: self.ways > 4)
    @rule(minutes=st.sampled_from([1, 6, 50]))
    def time_passes(self, minutes: int) -> None:
        self.world.age(timedelta(minutes=minutes))
        self.promises.aged()

    @precondition(lambda self: self.ways > 12)
    @rule(says=says)
    def everybody_is_done_and_long_after(self, says: Says) -> None:
        """However the engine answers: when the last deadline is over, every attempt has ended."""
        for way in list(self.parked):
            self.advance(way, None)
        for _ in range(3):
            self.world.age(LONG)
            self.promises.aged()
            for id_ in self.world.jobs():
                self.work_at(id_, says, None)
            for held in self.world.held_memory.documents:
                self.look_at(held, None)
        self.promises.all_is_over()

    # --- how --------------------------------------------------------------------------------------------------

    def received(self) -> dict[str, Any]:
        """Return the names of a webhook that has just come."""
        self.count += 1
        return {"id": f"receipt:{self.count}", "receipt_id": f"receipt:{self.count}"}

    def request(self, number: int) -> VideoRequested | VideoRetryRequested:
        who: dict[str, Any] = {"video_id": VIDEO, "user_id": USER, "attempt": number, "id": f"requested:{number}"}
        what: dict[str, Any] = {"kind": "create", "request_id": "r", "title": "Rates", "email": "a@example.com"}
        what["fields"] = {"body": "secret script"}
        if number == 1:
            return VideoRequested(**who, **what)
        return VideoRetryRequested(**who, **what, restart="workflow", takes_result=self.takes_result)

    def deliver(self, event: Event, until: int | None) -> Event:
        """Handle an event. The topic of the requests keeps its order: the one before is handled first."""
        if isinstance(event, REQUESTS):
            for way in [way for way in self.parked if isinstance(way.event, REQUESTS)]:
                self.advance(way, None)
        self.promises.comes(event)
        self.advance(self.way_of(event), until)
        return event

    def way_of(self, event: Event) -> Way:
        return Way(Run(self.world.topics.handling(event)), _touched(event), event)

    def work_at(self, id_: str, says: Says, until: int | None) -> None:
        lease = self.world.memory.claim(id_)
        assert lease is not None
        self.advance(Way(Run(self.world.work(lease, says)), {int(id_.rpartition(":")[2])}), until)

    def look_at(self, held: object, until: int | None) -> None:
        lease = self.world.held_memory.claim(held)
        if lease is not None:
            self.advance(Way(Run(self.world.look(lease))), until)

    def advance(self, way: Way, until: int | None) -> None:
        """Let it go on for so many turns, or to its end."""
        self.ways += 1
        if way in self.parked:
            self.parked.remove(way)
        while not way.run.done and until != 0:
            way.run.step()
            self.promises.turn(way.touches)
            until = None if until is None else until - 1
        if not way.run.done:
            self.parked.append(way)
        elif way.event is not None:
            self.promises.handled(way.event)


REQUESTS = (VideoRequested, VideoRetryRequested, VideoCancelled, VideoDeleted)


def _touched(event: Event) -> set[int] | None:
    """Return the attempts an event may change; None where it does not say."""
    match event:
        case VideoRequested() | VideoRetryRequested():
            return set(range(1, event.attempt + 1))
        case CompletionReported() | WorkflowErrorReported() | ProgressReported() | VideoCancelled():
            return None if event.attempt is None else {event.attempt}
    return None


def test_whatever_happens_to_attempts() -> None:
    run_state_machine_as_test(AttemptMachine, settings=settings(max_examples=200, stateful_step_count=50))
