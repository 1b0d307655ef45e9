"""Server-sent events, as far as more than one service writes them."""

import random
from datetime import timedelta


def reconnect(after: timedelta) -> bytes:
    """Return the farewell of a process that stops; the wait is spread so that clients do not all come at once."""
    spread = after * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
    return b"retry: %d\nevent: reconnect\ndata: {}\n\n" % (spread.total_seconds() * 1000)
