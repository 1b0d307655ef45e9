"""A file from a local HTTP server into S3: the media service by a VideoImportRequested, against `rclone copyurl`.

Ours does more than the base line on the way: sha256, a lease, progress events, a probe of the stored file, a poster.
"""

import asyncio
import contextlib
import hashlib
import os
import time
import uuid
from dataclasses import dataclass
from typing import Any

from minio import Minio

from deploy.local.ports import free_ports
from deploy.local.stack import LocalStack
from shared.contracts.events import TransferStarted, VideoFailed, VideoImportRequested, VideoReady
from shared.contracts.topics import VIDEO_ASSETS
from tests.bench.arena import LOOPBACK, Options, Running, pid_of, python_program, stack
from tests.bench.figures import BrokenRun, Figure, Section, figure
from tests.bench.kafka_client import Kafka
from tests.bench.proc import Meter, PeakWatch, until_quiet
from tests.bench.rclone import copy_url
from tests.bench.video_file import write_video

MB = 1_000_000
SIZE_BYTES, WARM_UP_BYTES = 500 * MB, 40 * MB
BUCKET = "reelway"
READY_SECONDS = 120.0
_READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _File:
    """A file on the local HTTP server."""

    url: str
    size_bytes: int
    sha256: str


class _Moving:
    """Moves files one way or the other and reads what it cost."""

    def __init__(self, running: LocalStack, kafka: Kafka) -> None:
        self._running = running
        self._kafka = kafka
        self._media_pid = pid_of(running.children["media"])
        self._s3_pid = pid_of(running.children["s3"])
        address = running.url("s3").removeprefix("http://")
        keys = running.credentials
        self._objects = Minio(address, keys.s3_access_key, keys.s3_secret_key, secure=False, region="us-east-1")

    async def by_media(self, file: _File) -> dict[str, Any]:
        """Return one round of the media service: from the event's publishing until VideoReady is on Kafka."""
        await self._settle()
        meter = Meter(server=self._media_pid, s3=self._s3_pid)
        request = _import_of(file)
        async with PeakWatch(self._media_pid) as peak:
            began = time.perf_counter()
            await self._kafka.publish(request, source="gateway")
            ready, transfer_began = await self._until_ready(request.video_id)
            wall_seconds = time.perf_counter() - began
            await until_quiet(self._media_pid)
        used = meter.read()
        if (ready.metadata.sha256, ready.metadata.size) != (file.sha256, file.size_bytes):
            raise BrokenRun(f"media says {ready.metadata.sha256} and {ready.metadata.size} bytes")
        await asyncio.to_thread(self._check_and_remove, ready.s3_key, file)
        return {
            **_round("media", file, wall_seconds, used["server"], peak.family_bytes),
            "transfer_started_after_seconds": round(transfer_began - began, 3),
            "peak_memory_of_the_service_alone_mb": round(peak.own_bytes / MB, 2),
            "memory_before_mb": round(peak.before_bytes / MB, 2),
            "s3_cpu_seconds": used["s3"],
        }

    async def by_rclone(self, file: _File) -> dict[str, Any]:
        """Return one round of rclone."""
        await self._settle()
        meter = Meter(s3=self._s3_pid)
        key = f"rclone/{uuid.uuid4().hex}.mp4"
        copied = await asyncio.to_thread(copy_url, self._running, file.url, f"{BUCKET}/{key}")
        await until_quiet(self._s3_pid)
        used = meter.read()
        await asyncio.to_thread(self._check_and_remove, key, file)
        taken = _round("rclone", file, copied.wall_seconds, copied.cpu_seconds, copied.peak_bytes)
        return {**taken, "s3_cpu_seconds": used["s3"]}

    async def _settle(self) -> None:
        """Let what the round before left behind get to the disk, so that it is not charged to this one."""
        await asyncio.to_thread(os.sync)
        await until_quiet(self._media_pid, self._s3_pid)

    async def _until_ready(self, video_id: str) -> tuple[VideoReady, float]:
        transfer_began = 0.0
        async with asyncio.timeout(READY_SECONDS):
            while True:
                event = await self._kafka.heard()
                if getattr(event, "video_id", None) != video_id:
                    continue
                if isinstance(event, TransferStarted):
                    transfer_began = time.perf_counter()
                elif isinstance(event, VideoReady):
                    return event, transfer_began
                elif isinstance(event, VideoFailed):
                    raise BrokenRun(f"media gave up: {event.code} {event.message}")

    def _check_and_remove(self, key: str, file: _File) -> None:
        """Read the object back; it must be the file. Blocks. Raises BrokenRun."""
        digest = hashlib.sha256()
        answer = self._objects.get_object(BUCKET, key)
        try:
            while block := answer.read(_READ_BYTES):
                digest.update(block)
        finally:
            answer.close()
            answer.release_conn()
        if digest.hexdigest() != file.sha256:
            raise BrokenRun(f"the object {key} is not the file that was moved")
        self._objects.remove_object(BUCKET, key)


def _import_of(file: _File) -> VideoImportRequested:
    user_id = "bench"
    video_id = f"{user_id}_{time.time_ns() // 1_000_000}"
    return VideoImportRequested(
        id=f"{video_id}:1:requested",
        video_id=video_id,
        user_id=user_id,
        attempt=1,
        request_id=f"video_{uuid.uuid4().hex}",
        title="Bench",
        video_url=file.url,
    )


def _round(side: str, file: _File, wall_seconds: float, cpu_seconds: float, peak_bytes: int) -> dict[str, Any]:
    return {
        "side": side,
        "bytes": file.size_bytes,
        "wall_seconds": round(wall_seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_memory_mb": round(peak_bytes / MB, 2),
        "mb_per_second": round(file.size_bytes / MB / wall_seconds, 1),
    }


async def measure(options: Options) -> Section:
    """Take the figures. Raises BrokenRun where a stored object is not byte for byte the file."""
    port = free_ports(["files"])["files"]
    url = f"http://{LOOPBACK}:{port}"
    async with contextlib.AsyncExitStack() as opened:
        running = await opened.enter_async_context(
            stack(options.folder, services=("media",), engines=("kafka", "media-db", "s3"))
        )
        files = options.folder / "files"
        files.mkdir(parents=True, exist_ok=True)
        server = python_program("files", "tests.bench.file_server", f"{url}/", {}, str(port), str(files))
        await opened.enter_async_context(Running(server, running.site.log("files")))
        made = [(url, files, "warm-up.mp4", WARM_UP_BYTES), (url, files, "large.mp4", SIZE_BYTES)]
        small, large = [await asyncio.to_thread(_make, *arguments) for arguments in made]
        kafka = await opened.enter_async_context(Kafka(running.url("kafka")))
        await kafka.listen(VIDEO_ASSETS)
        moving = _Moving(running, kafka)
        for move in (moving.by_media, moving.by_rclone):
            await move(small)
        rounds = [
            await move(large) for _ in range(options.rounds(4, quick=2)) for move in (moving.by_media, moving.by_rclone)
        ]
    return _section(rounds)


def _make(url: str, folder: Any, name: str, size_bytes: int) -> _File:
    return _File(f"{url}/{name}", size_bytes, write_video(folder / name, size_bytes))


def _section(rounds: list[dict[str, Any]]) -> Section:
    def both(title: str, unit: str, name: str) -> Figure:
        ours, base = ([taken[name] for taken in rounds if taken["side"] == side] for side in ("media", "rclone"))
        return figure(title, unit, ours, base)

    own = [taken["peak_memory_of_the_service_alone_mb"] for taken in rounds if taken["side"] == "media"]
    setup = {"bytes": SIZE_BYTES, "base": "rclone copyurl", "checked": "sha256 of every object read back"}
    return Section(
        "media",
        setup,
        rounds,
        [
            both("500 MB, URL → S3: wall", "s", "wall_seconds"),
            both("500 MB, URL → S3: CPU", "s", "cpu_seconds"),
            both("500 MB, URL → S3: CPU of the S3 server", "s", "s3_cpu_seconds"),
            both("500 MB, URL → S3: peak memory", "MB", "peak_memory_mb"),
            figure("    the same without the probe", "MB", own),
        ],
    )
