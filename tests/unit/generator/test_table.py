"""The table of state × happening, pair by pair: what is written here is what the generator promises."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from services.generator.announcements import announcement
from services.generator.attempt import LIVING, Attempt, State
from services.generator.domain import Happening, News, Outcome, apply, judge
from services.generator.notes import of_overtaking, of_report
from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowStarted

H, S = Happening, State
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

# Rows: states. Columns: happenings. A cell: the outcome, then the next state and its code where the state changes;
# a "!" says that others are told.
COLUMNS = (
    H.CALLED, H.TAKEN, H.REFUSED, H.REJECTED, H.TURNED_AWAY, H.UNCERTAIN, H.DEADLINE, H.ABSENT, H.LOST, H.BROKE,
    H.PROGRESS, H.RESULT, H.EMPTY_RESULT, H.FAILURE, H.CANCEL, H.SUPERSEDE, H.DELETE,
)  # fmt: skip
DONE, LOST, BROKE = "completed !", "given_up WORKFLOW_LOST !", "given_up WORKFLOW_FAILED !"
INVALID, BROKEN, CANCELLED = "failed RESULT_INVALID !", "failed WORKFLOW_FAILED !", "cancelled CANCELLED !"
TABLE = {
    S.REQUESTED: (
        "calling", "late", "late", "late", "late", "late", "given_up WORKFLOW_UNREACHABLE !", "late", "late", "late",
        "started !", DONE, INVALID, BROKEN, CANCELLED, "superseded", "deleted",
    ),
    S.CALLING: (
        "unknown !", "started !", "requested", "given_up WORKFLOW_REFUSED !", "unknown !", "unknown !",
        "given_up WORKFLOW_UNKNOWN !", "late", "late", "late",
        "started !", DONE, INVALID, BROKEN, CANCELLED, "superseded", "deleted",
    ),
    S.UNKNOWN: (
        "late", "started !", "late", "late", "late", "repeat", "given_up WORKFLOW_UNKNOWN !", "requested", LOST, BROKE,
        "started !", DONE, INVALID, BROKEN, CANCELLED, "superseded", "deleted",
    ),
    S.STARTED: (
        "late", "repeat", "late", "late", "late", "late", "given_up WORKFLOW_TIMEOUT !", "late", LOST, BROKE,
        "passed_on", DONE, INVALID, BROKEN, CANCELLED, "superseded", "deleted",
    ),
    S.COMPLETED: (
        "late", "late", "late", "late", "late", "late", "late", "late", "late", "late", "late",
        "repeat", "contradiction", "contradiction", CANCELLED, "late", "deleted",
    ),
    S.FAILED: (
        "late", "late", "late", "late", "late", "late", "late", "late", "late", "late", "late",
        "contradiction", "repeat", "repeat", CANCELLED, "late", "deleted",
    ),
    S.GIVEN_UP: (
        "late", "late", "late", "late", "late", "late", "repeat", "late", "repeat", "repeat", "late",
        "adopted completed !", INVALID, BROKEN, CANCELLED, "superseded", "deleted",
    ),
    S.CANCELLED: (*["late"] * 14, "repeat", "late", "deleted"),
    S.SUPERSEDED: (*["late"] * 15, "repeat", "deleted"),
    S.DELETED: (*["late"] * 16, "repeat"),
}  # fmt: skip


def attempt_in(state: State) -> Attempt:
    return Attempt(
        video_id="ann_1",
        attempt=1,
        user_id="ann",
        state=state,
        created_at=NOW - timedelta(minutes=1),
        changed_at=NOW - timedelta(minutes=1),
        request_id="video_1_x",
        title="Rates",
        email="ann@example.com",
        fields={"body": "secret script"},
        deadline_at=NOW + timedelta(minutes=44),
        estimate_seconds=900,
    )


def cell(state: State, happening: Happening) -> str:
    verdict = judge(state, happening)
    parts = [verdict.outcome if verdict.outcome is not Outcome.APPLIED else "", verdict.to or "", verdict.code or ""]
    return " ".join(part for part in [*parts, "!" if verdict.told else ""] if part)


@pytest.mark.parametrize(("state", "happening"), list(product(State, COLUMNS)))
def test_every_pair(state: State, happening: Happening) -> None:
    assert cell(state, happening) == TABLE[state][COLUMNS.index(happening)]


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(State)
    assert set(COLUMNS) == set(Happening)
    assert {len(row) for row in TABLE.values()} == {len(COLUMNS)}


@pytest.mark.parametrize(("state", "happening"), list(product(State, COLUMNS)))
def test_what_follows_fits_the_verdict(state: State, happening: Happening) -> None:
    before = attempt_in(state)
    verdict = judge(state, happening)
    after = apply(before, verdict, News(happening, "7", "why", "https://files.example.com/1.mp4"), NOW)
    assert after.state is (verdict.to or state)
    assert (after.completed_at is None) == (after.state in LIVING or verdict.to is None)
    if verdict.told:
        told = announcement(after)
        assert told is not None
        assert told.execution_id == "7"  # type: ignore[attr-defined]
    if after.state is S.DELETED and verdict.to:
        assert "secret" not in after.model_dump_json()
        assert "Rates" not in after.model_dump_json()


def test_only_a_refused_call_leads_back_to_calling() -> None:
    """The paid call: from any state but `requested` no happening leads to `calling`, and only two lead back there.

    The one is an answer that is certain, the other the engine's own word that it knows nothing of the call.
    """
    to_calling = {(s, h) for s, h in product(State, Happening) if judge(s, h).to is S.CALLING}
    back = {(s, h) for s, h in product(State, Happening) if judge(s, h).to is S.REQUESTED}
    assert to_calling == {(S.REQUESTED, H.CALLED)}
    assert back == {(S.CALLING, H.REFUSED), (S.UNKNOWN, H.ABSENT)}


def test_no_end_is_left_for_life() -> None:
    ended = set(State) - LIVING
    assert not [(s, h) for s, h in product(ended, Happening) if judge(s, h).to in LIVING]


def test_a_late_result_is_late_where_it_is_not_adopted() -> None:
    assert judge(S.GIVEN_UP, H.RESULT, "discard").outcome is Outcome.LATE
    assert judge(S.GIVEN_UP, H.RESULT, "discard").to is None


def test_an_execution_id_once_known_stays() -> None:
    known = attempt_in(S.STARTED).but(execution_id="1")
    assert apply(known, judge(S.STARTED, H.PROGRESS), News(H.PROGRESS, "2"), NOW).execution_id == "1"


def test_when_it_was_called_and_since_when_nobody_knows() -> None:
    calling = apply(attempt_in(S.REQUESTED), judge(S.REQUESTED, H.CALLED), News(H.CALLED), NOW)
    assert (calling.called_at, calling.stuck_since) == (NOW, None)
    later = NOW + timedelta(seconds=5)
    unknown = apply(calling, judge(S.CALLING, H.UNCERTAIN), News(H.UNCERTAIN), later)
    assert (unknown.called_at, unknown.stuck_since) == (NOW, later)
    over = unknown.but(run_over_at=later)
    found = apply(over, judge(S.UNKNOWN, H.TAKEN), News(H.TAKEN, "7"), later)
    assert found.run_over_at is None, "or it would be over for long as soon as it is"
    assert (found.called_at, found.stuck_since, found.execution_id) == (NOW, None, "7")


@pytest.mark.parametrize("happening", [H.CANCEL, H.SUPERSEDE, H.DELETE])
@pytest.mark.parametrize("state", State)
def test_a_run_that_nobody_wants_any_more_is_to_be_stopped(state: State, happening: Happening) -> None:
    before = attempt_in(state)
    after = apply(before, judge(state, happening), News(happening), NOW)
    assert (after.stop_since is not None) == (state in {S.CALLING, S.UNKNOWN, S.STARTED})
    if after.stop_since is not None:
        again = apply(after, judge(after.state, H.DELETE), News(H.DELETE), NOW + timedelta(hours=1))
        assert again.stop_since == NOW
        assert apply(again, judge(S.DELETED, H.PROGRESS), News(H.PROGRESS, "7"), NOW).execution_id == "7"


@pytest.mark.parametrize(
    ("state", "happening", "goes_on"),
    [
        (S.REQUESTED, H.DEADLINE, False),
        (S.CALLING, H.DEADLINE, True),
        (S.CALLING, H.REJECTED, True),  # whoever said no may not have known
        (S.UNKNOWN, H.DEADLINE, True),
        (S.STARTED, H.DEADLINE, True),
        (S.UNKNOWN, H.LOST, True),  # it may wait in a queue that n8n shows to nobody
        (S.STARTED, H.BROKE, True),  # it may wait and go on
        (S.STARTED, H.FAILURE, False),
    ],
)
def test_what_was_given_up_may_still_cost(state: State, happening: Happening, goes_on: bool) -> None:
    given_up = apply(attempt_in(state), judge(state, happening), News(happening), NOW)
    for end in (H.CANCEL, H.SUPERSEDE, H.DELETE):
        after = apply(given_up, judge(given_up.state, end), News(end), NOW)
        assert (after.stop_since is not None) == goes_on


def test_adopting_clears_the_failure() -> None:
    overdue = apply(attempt_in(S.STARTED), judge(S.STARTED, H.DEADLINE), News(H.DEADLINE), NOW)
    assert overdue.failure is not None
    assert overdue.status == "failed"
    adopted = apply(overdue, judge(S.GIVEN_UP, H.RESULT), News(H.RESULT, s3_key="videos/ann/1.mp4"), NOW)
    assert (adopted.failure, adopted.status, adopted.adopted) == (None, "completed", True)


def test_each_announcement_has_an_id_of_its_own() -> None:
    def id_of(state: State, **changes: object) -> str:
        told = announcement(attempt_in(state).but(**changes))
        assert told is not None
        return told.id

    failed = apply(attempt_in(S.STARTED), judge(S.STARTED, H.FAILURE), News(H.FAILURE), NOW)
    cancelled = apply(attempt_in(S.STARTED), judge(S.STARTED, H.CANCEL), News(H.CANCEL), NOW)
    overdue = apply(attempt_in(S.STARTED), judge(S.STARTED, H.DEADLINE), News(H.DEADLINE), NOW)
    refused = apply(attempt_in(S.CALLING), judge(S.CALLING, H.REJECTED), News(H.REJECTED), NOW)
    names = ("unknown", "started", "completed", "adopted", "given_up", "given_up", "failed", "cancelled")
    ids = [
        id_of(S.UNKNOWN),
        id_of(S.STARTED),
        id_of(S.COMPLETED),
        id_of(S.COMPLETED, adopted=True),
        id_of(S.GIVEN_UP, failure=overdue.failure),
        id_of(S.GIVEN_UP, failure=refused.failure),  # the workflow may say why afterwards
        id_of(S.FAILED, failure=failed.failure),
        id_of(S.CANCELLED, failure=cancelled.failure),
    ]
    assert ids == [f"ann_1:1:{name}" for name in names]


@pytest.mark.parametrize("happening", [H.PROGRESS, H.RESULT, H.EMPTY_RESULT, H.FAILURE])
def test_a_report_before_the_answer_is_noted_in_its_place(happening: Happening) -> None:
    (note,) = of_overtaking(attempt_in(S.CALLING), News(happening))
    assert (note.id, note.code) == ("ann_1:1:noted:call.overtaken", "call.overtaken")
    assert of_overtaking(attempt_in(S.STARTED), News(happening)) == ()
    assert of_overtaking(attempt_in(S.CALLING), News(H.CANCEL)) == ()


def test_a_result_that_counted_and_comes_again_after_a_cancel_is_not_said_to_have_been_too_late() -> None:
    result = News(H.RESULT, video_url="https://files.example/a.mp4")
    done = apply(attempt_in(S.STARTED), judge(S.STARTED, H.RESULT), result, NOW)
    cancelled = apply(done, judge(S.COMPLETED, H.CANCEL), News(H.CANCEL), NOW)
    assert cancelled.state is S.CANCELLED
    assert of_report("r1", cancelled, result, Outcome.LATE) is None
    other = News(H.RESULT, video_url="https://files.example/b.mp4")
    assert of_report("r2", cancelled, other, Outcome.LATE) is not None


def test_announcements_say_what_others_need() -> None:
    unknown = announcement(attempt_in(S.UNKNOWN))
    assert isinstance(unknown, WorkflowStarted)
    assert unknown.certain is False
    assert unknown.estimated_completion == unknown.time + timedelta(minutes=15)
    completed = announcement(attempt_in(S.COMPLETED).but(s3_key="videos/ann/1.mp4"))
    assert isinstance(completed, WorkflowCompleted)
    assert (completed.s3_key, completed.title, completed.email) == ("videos/ann/1.mp4", "Rates", "ann@example.com")
    failed = announcement(apply(attempt_in(S.CALLING), judge(S.CALLING, H.REJECTED), News(H.REJECTED), NOW))
    assert isinstance(failed, WorkflowFailed)
    assert (failed.code, failed.retryable) == ("WORKFLOW_REFUSED", True)
    assert announcement(attempt_in(S.REQUESTED)) is None
    assert announcement(attempt_in(S.SUPERSEDED)) is None
