"""What is started as users start it takes the usual ports."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """Have the usual ports alone: tests in other workers that want them wait, instead of taking them in between."""
    with (Path(tempfile.gettempdir()) / "reelway-tests-usual-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
