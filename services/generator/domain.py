"""The rules of an attempt: what may happen to it in which state, written as one table of state × happening.

`judge` reads the table, `apply` makes the attempt that follows. Pure: no clock, no database, no network.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.generator.attempt import LIVING, UNWANTED, Attempt, Failure, State
from services.generator.messages import LateResult, failure_message
from shared.contracts.videos import FailureCode

EXECUTION_ID_LENGTH = 128


class Happening(StrEnum):
    """Everything that can happen to an attempt. The first six come from the calling worker, the rest from outside."""

    CALLED = "called"  # about to send the first byte
    TAKEN = "taken"  # a 2xx answer, or the engine lists it: it runs
    REFUSED = "refused"  # certainly not started, worth another call
    REJECTED = "rejected"  # said not to be started, and no call will change that
    TURNED_AWAY = "turned_away"  # said not to be started for the moment, by whoever that was: it may run all the same
    UNCERTAIN = "uncertain"  # the answer does not say whether it runs
    DEADLINE = "deadline"
    ABSENT = "absent"  # the engine knows nothing of what was turned away: certainly not started, worth another call
    LOST = "lost"  # the engine says the run is over or gone, and nothing was reported
    BROKE = "broke"  # the engine says the run failed, and nothing was reported: maybe only the report failed
    PROGRESS = "progress"
    RESULT = "result"  # ready, with a file
    EMPTY_RESULT = "empty_result"  # ready, without a file
    FAILURE = "failure"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"  # a newer attempt exists
    DELETE = "delete"


class Outcome(StrEnum):
    """What came of a happening; also the label it is counted under."""

    APPLIED = "applied"
    PASSED_ON = "passed_on"  # changes no state
    ADOPTED = "adopted"
    REPEAT = "repeat"
    LATE = "late"
    CONTRADICTION = "contradiction"  # the opposite of what was already concluded: the first one wins


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: the next state (None: stay), why it failed if it did, and whether others are told.

    `again` says that this outcome came of it before: it is only said once more.
    """

    outcome: Outcome
    to: State | None = None
    code: FailureCode | None = None
    told: bool = False
    again: bool = False


def _to(state: State, code: FailureCode | None = None, *, told: bool = True) -> Verdict:
    return Verdict(Outcome.APPLIED, state, code, told)


_S, _H, _F = State, Happening, FailureCode
_LATE = Verdict(Outcome.LATE)
_REPEAT = Verdict(Outcome.REPEAT)
_CONTRADICTION = Verdict(Outcome.CONTRADICTION)
_ADOPTED = Verdict(Outcome.ADOPTED, State.COMPLETED, told=True)

# While an attempt lives, news from the workflow counts in every state: it proves more than an answer that is missing.
_NEWS = {
    _H.PROGRESS: _to(_S.STARTED),
    _H.RESULT: _to(_S.COMPLETED),
    _H.EMPTY_RESULT: _to(_S.FAILED, _F.RESULT_INVALID),
    _H.FAILURE: _to(_S.FAILED, _F.WORKFLOW_FAILED),
    _H.CANCEL: _to(_S.CANCELLED, _F.CANCELLED),
    _H.SUPERSEDE: _to(_S.SUPERSEDED, told=False),
    _H.DELETE: _to(_S.DELETED, told=False),
}
_OVER = dict.fromkeys(Happening, _LATE) | {_H.DELETE: _to(_S.DELETED, told=False)}

_TABLE: dict[State, dict[Happening, Verdict]] = {
    # Nobody has called, or the last call certainly started nothing.
    _S.REQUESTED: dict.fromkeys(Happening, _LATE)
    | _NEWS
    | {
        _H.CALLED: _to(_S.CALLING, told=False),
        _H.DEADLINE: _to(_S.GIVEN_UP, _F.WORKFLOW_UNREACHABLE),
    },
    # A call is under way, or its maker died.
    _S.CALLING: dict.fromkeys(Happening, _LATE)
    | _NEWS
    | {
        _H.CALLED: _to(_S.UNKNOWN),  # whoever called before did not live to write down the answer
        _H.TAKEN: _to(_S.STARTED),
        _H.REFUSED: _to(_S.REQUESTED, told=False),
        _H.REJECTED: _to(_S.GIVEN_UP, _F.WORKFLOW_REFUSED),
        _H.TURNED_AWAY: _to(_S.UNKNOWN),
        _H.UNCERTAIN: _to(_S.UNKNOWN),
        _H.DEADLINE: _to(_S.GIVEN_UP, _F.WORKFLOW_UNKNOWN),
    },
    # It may be running: its callback is awaited, and it is called again only if the engine rules that out.
    _S.UNKNOWN: dict.fromkeys(Happening, _LATE)
    | _NEWS
    | {
        _H.ABSENT: _to(_S.REQUESTED, told=False),
        _H.LOST: _to(_S.GIVEN_UP, _F.WORKFLOW_LOST),
        _H.BROKE: _to(_S.GIVEN_UP, _F.WORKFLOW_FAILED),
        _H.TAKEN: _to(_S.STARTED),
        _H.UNCERTAIN: _REPEAT,
        _H.DEADLINE: _to(_S.GIVEN_UP, _F.WORKFLOW_UNKNOWN),
    },
    _S.STARTED: dict.fromkeys(Happening, _LATE)
    | _NEWS
    | {
        _H.TAKEN: _REPEAT,
        _H.PROGRESS: Verdict(Outcome.PASSED_ON),
        _H.LOST: _to(_S.GIVEN_UP, _F.WORKFLOW_LOST),
        _H.BROKE: _to(_S.GIVEN_UP, _F.WORKFLOW_FAILED),
        _H.DEADLINE: _to(_S.GIVEN_UP, _F.WORKFLOW_TIMEOUT),
    },
    _S.COMPLETED: _OVER
    | {
        _H.RESULT: _REPEAT,
        _H.EMPTY_RESULT: _CONTRADICTION,
        _H.FAILURE: _CONTRADICTION,
        _H.CANCEL: _to(_S.CANCELLED, _F.CANCELLED),  # the file may not have reached the media service yet
    },
    # Failed for good, by what the workflow itself said.
    _S.FAILED: _OVER
    | {
        _H.RESULT: _CONTRADICTION,
        _H.EMPTY_RESULT: _REPEAT,
        _H.FAILURE: _REPEAT,
        _H.CANCEL: _to(_S.CANCELLED, _F.CANCELLED),  # it crossed the failure: its owner was answered that it counts
    },
    # Failed by what was not heard, or not from the workflow: its result is still taken, and its failure says why.
    _S.GIVEN_UP: _OVER
    | {
        _H.DEADLINE: _REPEAT,
        _H.LOST: _REPEAT,
        _H.BROKE: _REPEAT,
        _H.RESULT: _ADOPTED,
        _H.EMPTY_RESULT: _to(_S.FAILED, _F.RESULT_INVALID),
        _H.FAILURE: _to(_S.FAILED, _F.WORKFLOW_FAILED),
        _H.CANCEL: _to(_S.CANCELLED, _F.CANCELLED),
        _H.SUPERSEDE: _to(_S.SUPERSEDED, told=False),
    },
    _S.CANCELLED: _OVER | {_H.CANCEL: _REPEAT},
    _S.SUPERSEDED: _OVER | {_H.SUPERSEDE: _REPEAT},
    _S.DELETED: dict.fromkeys(Happening, _LATE) | {_H.DELETE: _REPEAT},
}


def judge(state: State, happening: Happening, late_result: LateResult = "adopt") -> Verdict:
    """Return what `happening` means to an attempt in `state`; there is an answer for every pair."""
    verdict = _TABLE[state][happening]
    if verdict is _ADOPTED and late_result == "discard":
        return _LATE
    return verdict


@dataclass(frozen=True, slots=True)
class News:
    """What a happening brought with it."""

    happening: Happening
    execution_id: str | None = None
    message: str | None = None
    video_url: str | None = None
    s3_key: str | None = None
    call_again_at: datetime | None = None
    report_id: str | None = None
    reported_at: datetime | None = None

    def in_time(self, attempt: Attempt) -> bool:
        """Return whether it was reported before the deadline, however late it is heard of."""
        return self.reported_at is not None and self.reported_at <= attempt.ends_at

    def ended(self, attempt: Attempt) -> bool:
        """Return whether this very report ended the attempt; who said so may have died before the saying."""
        return self.report_id is not None and self.report_id == attempt.ended_by

    def same_file(self, attempt: Attempt) -> bool:
        """Return whether this is the file the attempt was completed with."""
        return (self.video_url, self.s3_key) == (attempt.video_url, attempt.s3_key)


def execution_id(reported: object) -> str | None:
    """Return an executionId as it is kept: a short printable text; anything else (hostile) counts as none."""
    text = str(reported).strip() if isinstance(reported, str | int) and not isinstance(reported, bool) else ""
    return text if text.isprintable() and 0 < len(text) <= EXECUTION_ID_LENGTH else None


def apply(attempt: Attempt, verdict: Verdict, news: News, now: datetime, late_result: LateResult = "adopt") -> Attempt:
    """Return `attempt` after `verdict`. An executionId, once known, is never replaced."""
    if attempt.state is State.DELETED and attempt.stop_since is None:
        return attempt
    after = attempt.but(execution_id=attempt.execution_id or news.execution_id)
    if verdict.to is None:
        return after
    refused = after.refused or news.happening is Happening.REJECTED
    after = _entering(verdict.to, after, now).but(call_again_at=news.call_again_at, refused=refused)
    if verdict.to not in LIVING:
        after = after.but(completed_at=attempt.completed_at or now, ended_by=news.report_id or attempt.ended_by)
    if verdict.to is State.COMPLETED:
        adopted = verdict.outcome is Outcome.ADOPTED
        file = {"video_url": news.video_url, "s3_key": news.s3_key}
        return after.but(**file, adopted=adopted, failure=None, completed_at=now)
    if verdict.to is State.DELETED:
        return after.erased()
    if verdict.code is not None:
        failure = Failure(code=verdict.code, message=failure_message(verdict.code, news.message, late_result))
        return after.but(failure=failure)
    return after


def _entering(state: State, attempt: Attempt, now: datetime) -> Attempt:
    """Return `attempt` in `state`, with the times, and the count, that depend on nothing else."""
    stop_since = attempt.stop_since
    if state in UNWANTED and attempt.may_run:
        stop_since = now
    return attempt.but(
        state=state,
        changed_at=now,
        first_called_at=attempt.first_called_at or (now if state is State.CALLING else None),
        called_at=now if state is State.CALLING else attempt.called_at,
        calls=attempt.calls + (state is State.CALLING),
        run_over_at=None if state in (State.REQUESTED, State.STARTED) else attempt.run_over_at,
        stuck_since=now if state is State.UNKNOWN else None,
        stop_since=stop_since,
    )
