"""One program of the stack: start it, wait until it is ready, stop it, see that it died."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.05
_LARGEST_LOG_BYTES = 10_000_000


class NotReady(Exception):
    """The program runs but cannot be used yet; the text says why."""


class StartFailed(Exception):
    """The program ended or stayed unready; the text holds the reason, its last lines and where its log is."""


@dataclass(frozen=True)
class Program:
    """What to run and how to know that it works."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    """Working directory, made if missing."""
    url: str
    """Where others reach it."""
    check: Callable[[], Awaitable[None]]
    """Asks the program in its own protocol; raises NotReady."""
    grace_seconds: float = 20.0
    """How long it may take to stop after SIGTERM."""
    hint: str = ""
    """Where to look if it does not become ready."""


class Child:
    """A program as a process in a session of its own, so that a Ctrl-C on the terminal is not for it.

    Bound to no event loop: a test may start it in one loop and stop it in another.
    """

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        """The program's name in the stack."""
        return self.program.name

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.exit_code() is None else None

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start the process; entries of `env` replace the program's from now on. Does not wait until it is ready."""
        if self.pid is not None:
            raise RuntimeError(f"{self.name} is running already")
        if env:
            self.program = replace(self.program, env={**self.program.env, **env})
        self.program.folder.mkdir(parents=True, exist_ok=True)
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *self.program.argv],
                env=dict(self.program.env),
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """Return how the process ended (negative: by that signal), None while it runs; blocks nothing."""
        process = self._process
        if process is None or process.returncode is not None:
            return process.returncode if process else None
        # Look before reaping: while the dead leader is unreaped its group id cannot belong to anyone else,
        # and what it leaves behind in the group can be ended safely.
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self._signal_group(signal.SIGKILL)
        return process.wait()

    async def wait_ready(self, within_seconds: float) -> float:
        """Return the seconds it took until the ready check passed; StartFailed if it ended or time ran out."""
        began = time.monotonic()
        reason = "it has not answered yet"
        while time.monotonic() - began < within_seconds:
            if self.exit_code() is not None:
                raise StartFailed(self.obituary(f"ended with {describe_exit(self.exit_code())}"))
            try:
                await self.program.check()
            except NotReady as unready:
                reason = str(unready)
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return time.monotonic() - began
        what_happened = f"was not ready after {within_seconds:.0f} s ({reason})"
        raise StartFailed("\n".join(filter(None, [self.obituary(what_happened), self.program.hint])))

    async def wait_exit(self) -> int:
        """Return the exit code once the process has ended."""
        while (code := self.exit_code()) is None:  # noqa: ASYNC110 - a Popen belongs to no loop: it can't be awaited
            await asyncio.sleep(_POLL_SECONDS)
        return code

    async def stop(self, grace_seconds: float | None = None) -> bool:
        """End the process: SIGTERM, then after the grace time SIGKILL. Returns False if it had to be killed."""
        if self.pid is None:
            return True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a paused process could not hear the SIGTERM
        try:
            grace = self.program.grace_seconds if grace_seconds is None else grace_seconds
            async with asyncio.timeout(grace):
                await self.wait_exit()
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """End the process and whatever it started with SIGKILL, and wait until it is gone."""
        if self.pid is not None:
            self._signal_group(signal.SIGKILL)
            await self.wait_exit()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): it looks alive but does nothing, as on a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the last lines the process has logged since it was started."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()[-count:]

    def obituary(self, what_happened: str) -> str:
        """Return one text for people: what happened, the last lines, and where to read on."""
        lines = [f"{self.name} {what_happened}. Its last lines:"]
        lines += [f"    {line}" for line in self.last_lines()] or ["    (it wrote nothing)"]
        lines.append(f"The whole log: {self.log}")
        return "\n".join(lines)

    def _open_log(self) -> BinaryIO:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        log = self.log.open("ab")
        self._log_start = log.seek(0, os.SEEK_END)
        return log

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            os.kill(pid, number)  # it may have ended since, but is not reaped: its id is still its own

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except (ProcessLookupError, PermissionError):
                return  # nothing is left; macOS says "not permitted" of a group of zombies


def describe_exit(code: int | None) -> str:
    """Return an exit code in words: "exit code 1", "SIGKILL"."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
