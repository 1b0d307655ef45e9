"""How long a transfer is tried: what a try that failed means for those that could follow. Connects to nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.media.domain import EndsEarlyError, UnreachableError
from services.media.reports import Setback
from shared.delivery.leases import backoff


@dataclass(frozen=True, slots=True)
class Tries:
    """What the tries of one attempt have shown so far; kept in its document."""

    ended_early: int = 0
    unreachable_since: datetime | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Tries":
        """Return what an asset's document says."""
        return cls(document.get("endedEarly", 0), document.get("unreachableSince"))

    @property
    def fields(self) -> dict[str, Any]:
        """Return it as fields of the asset's document."""
        return {"endedEarly": self.ended_early, "unreachableSince": self.unreachable_since}

    def and_then(self, setback: Setback, now: datetime) -> "Tries":
        """Return what is known after one more try, which ended with `setback` at `now`.

        Only tries in a row count as a source out of reach: one that ended for another reason, as storage that was
        away, says nothing about the source and begins the count anew.
        """
        unreachable = isinstance(setback, UnreachableError)
        since = (self.unreachable_since or now) if unreachable else None
        return Tries(self.ended_early + isinstance(setback, EndsEarlyError), since)


@dataclass(frozen=True, slots=True)
class Patience:
    """When a transfer is given up, how long the pauses between its tries are, and how long it may outlive its end.

    `with_writers`: whoever lost a transfer stops as soon as they notice; so long what they write is erased at once.
    """

    deadline: timedelta
    retry_first: timedelta
    retry_most: timedelta
    early_ends: int
    unreachable_for: timedelta
    with_writers: timedelta

    def pause(self, tries: int) -> timedelta:
        """Return how long to wait after `tries` tries."""
        return backoff(tries, first=self.retry_first, most=self.retry_most)

    def ends(self, tries: Tries, *, imported: bool, deadline_at: datetime, next_try_at: datetime) -> bool:
        """Return whether a try at `next_try_at` is not worth waiting for."""
        if tries.ended_early >= self.early_ends or next_try_at >= deadline_at:
            return True
        # A rendered result was paid for, so it gets the whole deadline. An import costs its user a click, and what
        # keeps it from coming is most often a mistyped address.
        since = tries.unreachable_since if imported else None
        return since is not None and next_try_at >= since + self.unreachable_for
