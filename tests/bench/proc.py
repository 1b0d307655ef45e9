"""What a process used, as the kernel counted it in /proc: CPU seconds, memory now, memory at most."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.bench.figures import BrokenRun

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_UTIME, _CSTIME = 11, 14  # places in /proc/PID/stat after the command's closing parenthesis
_PPID = 1
_LOOK_SECONDS = 0.02
_QUIET_SECONDS, _QUIET_SHARE = 0.5, 0.06


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of one process in bytes: now, and the most since it began (or since its peak was reset)."""

    rss_bytes: int
    peak_bytes: int


def cpu_seconds_in(stat: str, ticks_per_second: int = TICKS_PER_SECOND) -> float:
    """Return user and system CPU seconds in a text of /proc/PID/stat, those of its reaped children included."""
    return sum(int(ticks) for ticks in _after_command(stat)[_UTIME : _CSTIME + 1]) / ticks_per_second


def parent_in(stat: str) -> int:
    """Return the parent's process id in a text of /proc/PID/stat."""
    return int(_after_command(stat)[_PPID])


def memory_in(status: str) -> Memory:
    """Return the memory in a text of /proc/PID/status. Raises ValueError where it names none (a zombie)."""
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    if "VmRSS" not in lines or "VmHWM" not in lines:
        raise ValueError("no memory in this status: the process has ended")
    return Memory(_kilobytes(lines["VmRSS"]), _kilobytes(lines["VmHWM"]))


def _kilobytes(text: str) -> int:
    number, unit = text.split()
    if unit != "kB":
        raise ValueError(f"memory in {unit}")
    return int(number) * 1024


def _after_command(stat: str) -> list[str]:
    return stat[stat.rindex(")") + 2 :].split()  # a command's name may hold spaces and parentheses


def cpu_seconds(pid: int) -> float:
    """Return what the process, its living children and its reaped ones used until now. Raises BrokenRun if it ended."""
    try:
        return sum(cpu_seconds_in((PROC / str(member) / "stat").read_text()) for member in family(pid))
    except (FileNotFoundError, ProcessLookupError):
        if (PROC / str(pid)).exists():
            return cpu_seconds(pid)  # a child ended between listing and reading; its parent has its time now
        raise BrokenRun(f"process {pid} ended while it was measured") from None


def memory(pid: int) -> Memory:
    """Return the memory of one process. Raises BrokenRun where it ended."""
    try:
        return memory_in((PROC / str(pid) / "status").read_text())
    except (FileNotFoundError, ProcessLookupError, ValueError) as error:
        raise BrokenRun(f"process {pid} ended while it was measured") from error


def family(pid: int) -> list[int]:
    """Return the process and its living descendants."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    members = [pid]
    for member in members:  # grows while it is walked
        members.extend(children.get(member, ()))
    return members


def _parents() -> Iterable[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), parent_in((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile


class Meter:
    """CPU seconds of several named processes between two moments."""

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._began = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        """Return the CPU seconds each has used since the meter was made."""
        return {name: round(cpu_seconds(pid) - self._began[name], 3) for name, pid in self._pids.items()}


class PeakWatch:
    """The most memory a process held while this was entered: alone (exact), and with its children (looked at often)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before_bytes = self.own_bytes = self.family_bytes = 0
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        (PROC / str(self._pid) / "clear_refs").write_text("5")  # the kernel's peak begins anew at what is held now
        self.before_bytes = memory(self._pid).rss_bytes
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        self.own_bytes = memory(self._pid).peak_bytes
        self.family_bytes = max(self.family_bytes, self.own_bytes)

    async def _look(self) -> None:
        while True:
            total = 0
            for member in family(self._pid):
                with contextlib.suppress(BrokenRun):  # a child that has just ended holds nothing
                    total += memory(member).rss_bytes
            self.family_bytes = max(self.family_bytes, total)
            await asyncio.sleep(_LOOK_SECONDS)


async def until_quiet(*pids: int, within_seconds: float = 30.0) -> None:
    """Return when the processes have all but stopped using CPU: what was asked of them is done to its end.

    Raises BrokenRun where they do not come to rest.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        before = sum(cpu_seconds(pid) for pid in pids)
        await asyncio.sleep(_QUIET_SECONDS)
        if sum(cpu_seconds(pid) for pid in pids) - before <= _QUIET_SECONDS * _QUIET_SHARE * len(pids):
            return
    raise BrokenRun(f"processes {pids} still work after {within_seconds:.0f} s")
