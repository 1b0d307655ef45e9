"""Where one section is measured: a local stack of its own with only what the section needs, in a clean environment."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.local import ready
from deploy.local.processes import Child, Program
from deploy.local.site import REPOSITORY
from deploy.local.stack import START_SECONDS, LocalStack
from tests.bench.figures import BrokenRun

LOOPBACK = "127.0.0.1"
UNLIMITED_VIDEOS = "1000000"


@dataclass(frozen=True, slots=True)
class Options:
    """How a section is to be run: fewer rounds where `quick`; everything it writes goes under `folder`."""

    folder: Path
    quick: bool = False

    def rounds(self, usual: int, quick: int) -> int:
        """Return how many rounds to take."""
        return quick if self.quick else usual


def stack(
    folder: Path,
    *,
    services: Iterable[str],
    engines: Iterable[str],
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
    ports: Mapping[str, int] | None = None,
) -> LocalStack:
    """Return a stack, to be entered, that takes nothing from the caller's shell and logs as production does."""
    names = ("PATH", "HOME", "LANG", "TMPDIR", "REAL_ENGINES")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return LocalStack(
        folder,
        services=services,
        engines=engines,
        environ={**kept, "LOG_FORMAT": "json", **(environ or {})},
        overrides=overrides,
        ports=ports,
    )


def pid_of(child: Child) -> int:
    """Return the process id of what is measured. Raises BrokenRun where it died."""
    if child.pid is None:
        raise BrokenRun(child.obituary("ended while it was measured"))
    return child.pid


def python_program(name: str, module: str, url: str, env: Mapping[str, str], *arguments: str) -> Program:
    """Return a server of the bench itself, ready when `url` answers 200."""
    return Program(
        name=name,
        argv=[sys.executable, "-m", module, *arguments],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1", **env},
        folder=REPOSITORY,
        url=url,
        check=partial(ready.http, url),
        grace_seconds=5,
    )


class Running:
    """A program beside the stack, running while it is entered."""

    def __init__(self, program: Program, log: Path) -> None:
        self._child = Child(program, log)

    async def __aenter__(self) -> Child:
        try:
            self._child.start()
            await self._child.wait_ready(START_SECONDS)
        except BaseException:
            await self._child.kill()
            raise
        return self._child

    async def __aexit__(self, *_: object) -> None:
        await self._child.stop()
