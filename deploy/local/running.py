"""At most one stack runs on a folder: the one that holds the lock."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.1


class AlreadyRunning(Exception):
    """Another process holds the lock; `pid` is that process."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"Reelway is running already (process {pid})")
        self.pid = pid


@contextmanager
def sole_owner(lock: Path) -> Iterator[None]:
    """Hold the lock while inside. Raises AlreadyRunning. The kernel lets it go if we die, so none is ever stale."""
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("a+") as file:
        if not _locked(file.fileno()):
            raise AlreadyRunning(_owner(lock))
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def stop_owner(lock: Path, within_seconds: float) -> bool:
    """Ask the stack that holds the lock to stop and wait for it. Returns False if none runs.

    Raises TimeoutError when it still runs after that time.
    """
    if not lock.exists():
        return False
    with lock.open() as file:
        if _locked(file.fileno()):
            return False
        os.kill(_owner(lock), signal.SIGTERM)
        deadline = time.monotonic() + within_seconds
        while not _locked(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_POLL_SECONDS)
    return True


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(lock: Path) -> int:
    return int(lock.read_text().strip() or 0)
