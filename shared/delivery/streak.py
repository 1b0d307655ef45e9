"""Dead letters in a row: one is a bad message, many are broken code, and broken code must not give up what waits."""

import asyncio
from collections import defaultdict

import structlog

from shared.wiring.health import Unready
from shared.wiring.metrics import Metrics

ADVICE = (
    "The code is probably broken, not the messages. Nothing is lost: start a version that works, "
    "or start this one again to go on"
)

log = structlog.get_logger(__name__)


class Streak:
    """Counts the dead letters that follow each other, and says when there are too many of them.

    Two rows per topic: of its messages whatever they are, ended by any message that is all right; and of one type's,
    ended only by one of that type that is handled, so that types which nobody handles here can't hide a broken handler.
    A message that comes again and again counts once.
    """

    def __init__(self, most: int, metrics: Metrics) -> None:
        """`most` dead letters in a row are written, the next one is not; 0: no limit."""
        self._most = most
        self._metrics = metrics
        self._in_a_row: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.reason: str | None = None
        self.broken = asyncio.Event()
        metrics.consuming_stopped.set(0)

    def handled(self, topic: str, type_name: str) -> None:
        """Note that a message was handled, or passed over because it is for others."""
        self._in_a_row.pop((topic, type_name), None)
        self._in_a_row.pop((topic, ""), None)
        self._show(topic)

    def gave_up(self, topic: str, type_name: str, letter: str) -> None:
        """Note that `letter` was written; `type_name` is empty where no handler was reached."""
        if self._most == 0:
            return
        for key in {(topic, ""), (topic, type_name)}:
            self._in_a_row[key].add(letter)
        self._show(topic)

    def breaks(self, topic: str, type_name: str, letter: str, reason: str) -> bool:
        """Return whether `letter` would be one too many; from then on this is broken for good."""
        rows = [self._in_a_row.get(key, set()) for key in ((topic, ""), (topic, type_name))]
        longest = max((len(row) for row in rows if letter not in row), default=0)
        if self._most == 0 or longest < self._most:
            return False
        what = type_name or "message"
        self.reason = (
            f"Stopped consuming: after {longest} dead letters in a row from {topic}, "
            f"another {what} failed ({reason}). {ADVICE}."
        )
        log.critical("consuming.stopped", topic=topic, event_type=type_name, reason=reason, in_a_row=longest)
        self._metrics.consuming_stopped.set(1)
        self.broken.set()
        return True

    async def probe(self) -> None:
        """Return while all is well. Raises Unready with the reason in words."""
        if self.reason is not None:
            raise Unready(self.reason)

    def _show(self, topic: str) -> None:
        """Set the gauge, also where it stays at 0: a series that is there can be asked for."""
        longest = max((len(row) for (of, _), row in self._in_a_row.items() if of == topic), default=0)
        self._metrics.dead_letters_in_a_row.labels(topic=topic).set(longest)
