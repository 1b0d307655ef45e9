"""How long a process may take to stop: each of its parts as long as it needs, all together no longer than this."""

import math
import time
from collections.abc import Callable

STOP_SECONDS = 16.0
"""From the signal to the last farewell; who sent it waits for 20 s."""

LAST_SECONDS = 6.0
"""Of these: for what comes once consumers and jobs have stopped, the last events and the producer."""


class StopTime:
    """The time that is left of a stop; before one has begun there is no end to it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = math.inf

    def begin(self) -> None:
        """Count from now on, if not from earlier on."""
        self._ends_at = min(self._ends_at, self._clock() + STOP_SECONDS)

    @property
    def has_begun(self) -> bool:
        """Whether the process has been told to stop."""
        return self._ends_at < math.inf

    def at_most(self, seconds: float, *, last: bool = False, then: float = 0.0) -> float:
        """Return `seconds`, or what is left where that is less; only what comes `last` may use up all of it.

        `then` seconds stay for what the same part does after it.
        """
        left = self._ends_at - self._clock() - (0.0 if last else LAST_SECONDS) - then
        return max(0.0, min(seconds, left))
