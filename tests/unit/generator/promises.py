"""What is promised of attempts, whatever happens: an account of what came in, was stored and was told, kept beside it.

Nothing in here asks the service's rules what should follow. What is checked are promises a user could make use of.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from services.generator.attempt import Attempt
from shared.contracts.events import (
    CallbackJudged,
    CompletionReported,
    Event,
    ResultDiscarded,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
    WorkflowCompleted,
    WorkflowErrorReported,
    WorkflowFailed,
    WorkflowNoted,
    WorkflowStarted,
)
from shared.delivery.outbox import Document
from tests.unit.generator.attempts_world import World

File = tuple[str | None, str | None]

LIVES = {"requested", "calling", "unknown", "started"}
LATER_ENDS = {
    "completed": {"cancelled", "deleted"},
    "failed": {"cancelled", "deleted"},
    "given_up": {"completed", "failed", "cancelled", "superseded", "deleted"},
    "cancelled": {"deleted"},
    "superseded": {"deleted"},
    "deleted": set[str](),
}
UNWANTED = {"cancelled", "superseded", "deleted"}
RUNS = {"calling", "unknown", "started", "given_up"}
UNHEARD = {
    "WORKFLOW_REFUSED",
    "WORKFLOW_UNREACHABLE",
    "WORKFLOW_UNKNOWN",
    "WORKFLOW_TIMEOUT",
    "WORKFLOW_LOST",
    "WORKFLOW_FAILED",
}
SAID = (["WORKFLOW_FAILED"], ["RESULT_INVALID"])
UNPLACED = ("held", "quarantined")


class Promises:
    """Looks at the world after every turn and remembers what it saw."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._documents: dict[object, Document] = {}
        self._attempts: dict[int, Attempt] = {}
        self._states: dict[int, list[str]] = defaultdict(list)
        self._files: dict[int, set[File]] = defaultdict(set)
        self._told: dict[int, list[Event]] = defaultdict(list)
        self._reports: dict[str, Event] = {}
        self._cancelled: set[int] = set()
        self._reported_failed: set[int] = set()
        self._deleting = self._deleted = False

    def comes(self, event: Event) -> None:
        """Remember what is about to be handled."""
        self._deleting = self._deleting or isinstance(event, VideoDeleted)

    def aged(self) -> None:
        """Take note that time passed: every document was written anew."""
        self._documents = dict(self._world.memory.documents)

    def turn(self, touched: set[int] | None) -> None:
        """Look at what a turn did that was about these attempts (None: any)."""
        documents = dict(self._world.memory.documents)
        changed = {id_ for id_, document in documents.items() if document is not self._documents.get(id_)}
        self._documents = documents
        if not changed:
            return
        for number, attempt in self._world.attempts.items():
            if attempt.id in changed:
                assert touched is None or number in touched, f"attempt {number} was changed by news of {touched}"
                self._moved(number, attempt)
        for event in self._world.post.taken():
            self._tell(event)

    def handled(self, event: Event) -> None:
        """Look at what came of an event that was handled to its end."""
        match event:
            case VideoRequested() | VideoRetryRequested():
                older = [one for number, one in self._attempts.items() if number < event.attempt]
                assert not [one.id for one in older if one.state in LIVES | {"given_up"}], "an older attempt goes on"
            case VideoCancelled():
                self._cancelled.add(event.attempt)
                gone = {"cancelled", "superseded", "deleted"}
                stands = self._attempts.get(event.attempt)
                assert self._deleted or (stands is not None and stands.state in gone)
            case VideoDeleted():
                self._deleted = True
                assert {attempt.state for attempt in self._attempts.values()} <= {"deleted"}
                assert "secret" not in repr(self._world.memory.documents)
            case CompletionReported() | WorkflowErrorReported():
                self._reports[event.receipt_id] = event
                self._judged(event, self._judgement(event))

    def all_is_over(self) -> None:
        """Look at what remains where every job was done long after every deadline."""
        assert not [one.id for one in self._attempts.values() if one.state in LIVES]
        assert not self._world.jobs(), "somebody goes on with it"
        costing = {one.id for number, one in self._attempts.items() if self._may_have_run_on(number)}
        assert costing & set(self._world.runs) <= self._world.looked_after, "nobody tried to stop it"
        held = {id_: document["state"] for id_, document in self._world.held_memory.documents.items()}
        assert set(held.values()) <= {"settled", "quarantined"}
        for event in self._reports.values():
            judgement = self._judgement(event)
            assert judgement.outcome != "held"
            if judgement.outcome == "quarantined":
                assert held[event.id] == "quarantined"
            self._judged(event, judgement)

    def _may_have_run_on(self, number: int) -> bool:
        """Return whether people ended the attempt while, for all that was known, the engine was at it."""
        states = self._states[number]
        return any(was in RUNS and now in UNWANTED for was, now in pairwise(states))

    # --- what is stored -----------------------------------------------------------------------------------

    def _moved(self, number: int, now: Attempt) -> None:
        was = self._attempts.get(number)
        self._attempts[number] = now
        state = now.state.value
        if was is not None and was.execution_id is not None:
            assert now.execution_id == was.execution_id
        if was is None or was.state is not now.state:
            if was is not None and was.state not in LIVES:
                assert state in LATER_ENDS[was.state.value], f"{was.state} became {state}"
            assert not self._deleted or state == "deleted", "changed after its deletion"
            self._states[number].append(state)
        if state == "completed":
            self._files[number].add((now.video_url, now.s3_key))
            assert len(self._files[number]) == 1, "a second file took the first one's place"
        assert state in LIVES or state in ("superseded", "deleted") or now.completed_at is not None
        starts = self._world.runs.count(now.id)
        assert starts <= 1, f"paid {starts} times"

    # --- what is told -------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        number: int = getattr(event, "attempt", 0)
        ends = self._ends(number)
        if isinstance(event, WorkflowStarted | WorkflowCompleted | WorkflowFailed):
            assert not self._deleted, f"{event.id} was told after the deletion"
        if isinstance(event, WorkflowStarted):
            assert not ends, "begun after its end"
        if isinstance(event, WorkflowCompleted):
            assert number not in self._cancelled, "completed after its cancellation"
        self._told[number].append(event)
        if isinstance(event, WorkflowCompleted | WorkflowFailed):
            self._end(number, event)

    def _ends(self, number: int) -> list[WorkflowCompleted | WorkflowFailed]:
        told = self._told[number]
        return [one for one in told if isinstance(one, WorkflowCompleted | WorkflowFailed)]

    def _end(self, number: int, event: WorkflowCompleted | WorkflowFailed) -> None:
        said = [_said(one) for one in self._ends(number)]
        different = list(dict.fromkeys(said))
        assert said[-1] == different[-1], "an older end was told again"
        assert len({end[0] for end in different}) == len(different), "one id, two stories"
        kinds = [kind for _, kind, *_ in different]
        if "completed" in kinds:
            at = kinds.index("completed")
            assert kinds[at:] in (["completed"], ["completed", "CANCELLED"])
            assert set(kinds[:at]) <= UNHEARD, "ready although it had failed"
            assert number not in self._reported_failed, "ready although its workflow had said that it failed"
            assert len(kinds[:at]) == int(different[at][2]), "adopted is what had failed before, and only that"
        else:
            # What was given up may be said to have failed after all: that is why, then. CANCELLED is the last word.
            ends = kinds[:-1] if kinds[-1] == "CANCELLED" else kinds
            assert len(ends) <= 1 or (ends[0] in UNHEARD and ends[1:] in SAID), "two ends"

    # --- what came of the reports -------------------------------------------------------------------------

    def _judgement(self, event: Any) -> CallbackJudged:
        said = [one for one in self._world.sent if isinstance(one, CallbackJudged)]
        judged = [one for one in said if one.receipt_id == event.receipt_id]
        assert judged, "a report was lost"
        # A process that had gone on with a repeat may say last that it is held, long after others judged it.
        placed = [one for one in judged if one.outcome not in UNPLACED]
        return placed[0] if placed else max(judged, key=lambda one: UNPLACED.index(one.outcome))

    def _judged(self, event: Event, judgement: CallbackJudged) -> None:
        number = judgement.attempt or 0
        file = _file(event)
        match judgement.outcome:
            case "applied" | "adopted" if file:
                assert self._files[number] == {file}
            case "applied":
                assert "failed" in self._states[number]
                self._reported_failed.add(number)
            case "repeat":
                assert self._files[number] == {file} if file else "failed" in self._states[number]
            case "late" | "contradiction":
                self._kept(event, number)
            case "held" | "quarantined":
                assert event.id in self._world.held_memory.documents
            case _:
                raise AssertionError(judgement.outcome)

    def _kept(self, event: Any, number: int) -> None:
        """See that a report which changed nothing is to be found in the timeline, and its object in the discards."""
        told = [one for number_ in self._told.values() for one in number_]
        notes = [one for one in told if isinstance(one, WorkflowNoted) and one.lasting]
        heard = any(one.id.endswith(f":{event.receipt_id}") for one in notes)
        # A file that was taken before its attempt was cancelled or followed by another one is no news.
        assert heard or self._deleting or _file(event) in self._files[number], "nobody hears of it"
        key = getattr(event, "s3_key", None)
        taken = {key for _, key in self._files[number]}
        if key is not None and key not in taken:
            discards = [one for one in told if isinstance(one, ResultDiscarded)]
            assert key in {one.s3_key for one in discards}, "its object stays for ever"


def _said(event: WorkflowCompleted | WorkflowFailed) -> tuple[str, str, bool, File]:
    if isinstance(event, WorkflowFailed):
        return event.id, event.code, False, (None, None)
    return event.id, "completed", event.adopted, (event.video_url, event.s3_key)


def _file(event: Event) -> File | None:
    """Return the file a report names."""
    if not isinstance(event, CompletionReported) or event.status != "ready":
        return None
    file = event.video_url, event.s3_key
    return file if any(file) else None
