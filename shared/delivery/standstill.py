"""How a process learns that another one died, without comparing clocks."""

import time
from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta


class Standstill:
    """Watches marks that living owners change, and tells when one has stood still for the lease time.

    Only this process's monotonic clock counts, so neither a skewed wall clock nor a paused owner can fool it.
    """

    def __init__(self, lease: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease_seconds = lease.total_seconds()
        self._clock = clock
        self._seen: dict[Hashable, tuple[Hashable, float]] = {}

    def stands(self, thing: Hashable, mark: Hashable) -> bool:
        """Return whether `thing` has shown this same `mark` for the whole lease time, as watched from here."""
        now = self._clock()
        known = self._seen.get(thing)
        if known is None or known[0] != mark:
            self._seen[thing] = (mark, now)
            return False
        return now - known[1] >= self._lease_seconds

    def keep_only(self, things: Iterable[Hashable]) -> None:
        """Forget everything but `things`, so that memory stays bounded by what is watched."""
        kept = set(things)
        self._seen = {thing: seen for thing, seen in self._seen.items() if thing in kept}
