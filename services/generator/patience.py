"""What is done about an attempt after the engine was asked: one table of what it said × how late it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.generator.asking import Said
from services.generator.attempt import Attempt, State


class Step(StrEnum):
    """What follows."""

    WAIT = "wait"
    TAKE = "take"  # it as started, now that this is certain
    EXTEND = "extend"  # the deadline, by a step
    CALL_AGAIN = "call_again"  # what was turned away, and certainly never began
    CONCLUDE = "conclude"  # from what the engine said
    END = "end"  # by the deadline


@dataclass(frozen=True, slots=True)
class Patience:
    """How long callbacks are waited for once the run is over, and how far a deadline may be put off."""

    lost_after: timedelta
    deadline_step: timedelta
    deadline_most: timedelta

    def step(self, attempt: Attempt, said: Said, now: datetime) -> Step:
        """Return what follows from what was `said`: a deadline always ends it, unless the run goes on."""
        overdue = not attempt.time_left(now)
        if said is Said.RUNNING and now < self._longest(attempt):
            if attempt.state is State.UNKNOWN:
                return Step.TAKE
            return Step.EXTEND if overdue else Step.WAIT
        if said is Said.GONE and attempt.was_turned_away and not overdue:
            return Step.CALL_AGAIN if _may_be_called_again(attempt, now) else Step.WAIT
        if said in (Said.OVER, Said.GONE) and (overdue or self.is_used_up(attempt, now)):
            return Step.CONCLUDE
        return Step.END if overdue else Step.WAIT

    def is_used_up(self, attempt: Attempt, now: datetime) -> bool:
        """Return whether the run has been over so long that no callback is on its way any more."""
        return attempt.run_over_at is not None and now - attempt.run_over_at >= self.lost_after

    def extended(self, attempt: Attempt, now: datetime) -> datetime:
        """Return the next deadline: a step from now, but never beyond the last one."""
        return min(now + self.deadline_step, self._longest(attempt))

    def _longest(self, attempt: Attempt) -> datetime:
        return (attempt.first_called_at or attempt.created_at) + self.deadline_most


def _may_be_called_again(attempt: Attempt, now: datetime) -> bool:
    """Return whether the engine, which knows nothing of the call, said so before: the call may have been on its way."""
    return attempt.run_over_at is not None and attempt.call_again_at is not None and attempt.call_again_at <= now
