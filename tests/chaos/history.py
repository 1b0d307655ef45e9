"""What a run saw: one JSON line each, written at once, so that a run that is broken off leaves all of it."""

import json
import time
from pathlib import Path
from typing import Any, Self, TextIO

Json = dict[str, Any]


class History:
    """Appends entries `{"what": ..., "at": seconds since the beginning, ...}` to a file. Blocks only as files do."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        self._file: TextIO = file.open("w", buffering=1)
        self.counts: dict[str, int] = {}

    def begin(self) -> None:
        """Count from now on."""
        self._began = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return round(time.monotonic() - self._began, 3)

    def add(self, what: str, **entry: Any) -> None:
        """Write down one entry; what comes in after the end is no longer of interest."""
        if self._file.closed:
            return
        self.counts[what] = self.counts.get(what, 0) + 1
        self._file.write(json.dumps({"what": what, "at": self.now(), **entry}, default=str) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read(file: Path) -> list[Json]:
    """Return the entries of a history, in the order in which they were written."""
    return [json.loads(line) for line in file.read_text().splitlines()]
