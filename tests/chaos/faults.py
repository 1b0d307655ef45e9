"""What the workflow engine is told to do wrong with one job, drawn from a seed."""

import random
from typing import Any

Json = dict[str, Any]

NONE = 12
"""The weight of a job that goes well."""

_ANSWERS: tuple[tuple[Json, int], ...] = (
    ({"kind": "refuse", "status": 404, "times": 2}, 1),
    ({"kind": "refuse", "status": 429, "retryAfter": 1, "times": 2}, 1),
    ({"kind": "refuse", "status": 503, "times": 3}, 2),
    ({"kind": "refuse", "status": 500, "times": 1}, 1),
    ({"kind": "refuse", "status": 403}, 1),
    ({"kind": "started-error", "status": 500}, 1),
    ({"kind": "started-error", "status": 503}, 2),
    ({"kind": "started-error", "status": 429}, 1),
    ({"kind": "started-error", "status": 404}, 1),
    ({"kind": "started-cut"}, 2),
    ({"kind": "started-timeout", "seconds": 8}, 2),
    ({"kind": "no-execution-id"}, 1),
    ({"kind": "answer-last", "seconds": 6}, 2),
)

_RUNS: tuple[tuple[Json, int], ...] = (
    ({"kind": "slow", "seconds": 6}, 3),
    ({"kind": "slow", "seconds": 12}, 2),
    ({"kind": "fail", "message": "Avatar generation failed", "times": 1}, 3),
)

_CALLBACKS: tuple[tuple[Json, int], ...] = (
    ({"kind": "callback-twice"}, 3),
    ({"kind": "callback-twice", "together": True}, 3),
    ({"kind": "callback-never"}, 1),
    ({"kind": "callback-never", "purposes": ["progress"]}, 1),
    ({"kind": "complete-before-progress"}, 2),
    ({"kind": "error-before-complete"}, 2),
    ({"kind": "error-after-complete"}, 3),
    ({"kind": "another-result"}, 2),
    ({"kind": "callback-auth", "auth": "secret"}, 1),
    ({"kind": "callback-auth", "auth": "signature"}, 1),
    ({"kind": "callback-auth", "auth": "wrong-secret"}, 1),
)

_FILES: tuple[tuple[Json, int], ...] = (
    ({"kind": "file-cut"}, 2),
    ({"kind": "file-truncated", "times": 2}, 1),
    ({"kind": "file-chunked"}, 2),
    ({"kind": "file-no-range"}, 1),
    ({"kind": "file-slow", "bytesPerSecond": 60_000}, 3),
    ({"kind": "file-error", "status": 500, "times": 2}, 1),
    ({"kind": "file-not-video"}, 1),
)

_GROUPS = (_ANSWERS, _RUNS, _CALLBACKS, _FILES)


def drawn(chance: random.Random) -> tuple[Json, ...]:
    """Return the faults of one job: often none, mostly one, sometimes two that meet at different places."""
    count = chance.choices((0, 1, 2), (NONE, 18, 8))[0]
    groups = chance.sample(_GROUPS, count)
    return tuple(dict(chance.choices([f for f, _ in group], [w for _, w in group])[0]) for group in groups)
