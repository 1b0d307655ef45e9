"""A small disk for the storage that can be filled up, where this user may mount one."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_BLOCK = bytes(65_536)

Fill = Callable[[bool], None]


def mountable(folder: Path) -> str | None:
    """Return why no small disk can be had at `folder`, None where it can."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "mounting needs root"
    folder.mkdir(parents=True, exist_ok=True)
    tried = _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    if tried.returncode:
        return tried.stderr.strip() or "mount failed"
    release(folder)
    return None


def release(folder: Path) -> None:
    """Unmount what an earlier run left at `folder`."""
    if folder.is_mount():
        _run("umount", str(folder)).check_returncode()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Fill]:
    """Have a disk of that size at `folder`; yields what fills it (True) and frees it (False). Of size 0: does nothing.

    Filling blocks as long as it takes to write that much.
    """
    if not megabytes:
        yield lambda _full: None
        return
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)).check_returncode()
    filler = folder / "filler"
    try:
        yield lambda full: _write_until_full(filler) if full else filler.unlink(missing_ok=True)
    finally:
        release(folder)


def _write_until_full(filler: Path) -> None:
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(_BLOCK)


def _run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
