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
        if not _locked(file.fileno(), fcntl.LOCK_EX):
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
        deadline = time.monotonic() + within_seconds
        asked = False
        # A shared lock: who only looks is never taken for the stack, whose old number may be another process's by now.
        while not _locked(file.fileno(), fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise TimeoutError
            if not asked and (owner := _owner(lock)):  # 0 while it is still writing
                os.kill(owner, signal.SIGTERM)
                asked = True
            time.sleep(_POLL_SECONDS)
    return asked


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(lock: Path) -> int:
    return int(lock.read_text().strip() or 0)
