"""Asks what a stored file holds: a short-lived process looks, with limits on time, memory and what it may see."""

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.media.domain import EndsEarlyError
from services.media.objects import StorageAwayError
from services.media.source import not_a_video
from services.media.transfer import NO_VIDEO, Stored

PROGRAM = Path(__file__).with_name("probe_process.py")

# A service that is stopped together with its processes: that says nothing about the file.
_STOPPED = frozenset(-number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


class ProbeTimeoutError(Exception):
    """The probe came to no end in time: the file's doing, or the storage's."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What was seen: duration in seconds where the file says, pixels as shown, codec, and a JPEG."""

    duration: float | None
    width: int
    height: int
    codec: str
    poster: bytes


class Prober:
    """Looks into stored files, a few at a time."""

    def __init__(self, *, timeout_seconds: float, concurrency: int = 2) -> None:
        self._timeout_seconds = timeout_seconds
        self._places = asyncio.Semaphore(concurrency)

    async def probe(self, url: str, stored: Stored) -> Probed:
        """Return what is in the object at `url` (signed).

        Raises HopelessError, TroubleError, StorageAwayError or ProbeTimeoutError.
        """
        task = {"url": url, "size": stored.size_bytes, "demuxer": stored.format.demuxer}
        async with self._places:
            output, code = await self._run(json.dumps(task).encode())
        if code in _STOPPED:
            raise StorageAwayError("the probe was stopped")
        if code != 0:  # it crashed or reached a limit: so would whoever plays the file
            raise not_a_video(NO_VIDEO)
        line, _, poster = output.partition(b"\n")
        return _understood(json.loads(line), poster)

    async def _run(self, task: bytes) -> tuple[bytes, int]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                output, _ = await process.communicate(task)
        except TimeoutError as error:
            raise ProbeTimeoutError from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return output, process.returncode or 0


def _understood(facts: dict[str, Any], poster: bytes) -> Probed:
    match facts.get("problem"):
        case None:
            return Probed(facts["duration"], facts["width"], facts["height"], facts["codec"], poster)
        case "ends_early":
            raise EndsEarlyError
        case "storage":
            raise StorageAwayError(facts["detail"])
        case _:
            raise not_a_video(facts["detail"])
