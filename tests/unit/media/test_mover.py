"""Moving files, with everything around it played by the test."""

import asyncio
import threading
from typing import Any, cast

import pytest

from services.media import mover
from services.media.domain import Attempt, Source
from services.media.formats import MP4
from services.media.mover import Mover
from services.media.objects import StorageAwayError
from services.media.probe import Probed
from services.media.reports import STORAGE_AWAY, Reports
from services.media.transfer import Stored
from shared.contracts.events import Event, TransferProgressed

ATTEMPT = Attempt("v", "u", 1, "A tour", Source(video_url="http://files.test/a.mp4"))
STORED = Stored(size_bytes=10, sha256="", md5="", format=MP4)


class SilentClaims:
    """A database that does not answer."""

    async def remember_upload(self, key: str, upload_id: str) -> None:
        await asyncio.Event().wait()


class NotingTransfers:
    """Begins an upload, which has to be noted first."""

    def fetch(self, url: str, key: str, *, remember: Any, **_: Any) -> None:
        remember("upload-1")


class QuickTransfers:
    """Has stored the file at once."""

    def fetch(self, url: str, key: str, **_: Any) -> Stored:
        return STORED

    def verify(self, key: str, sent: Stored) -> None:
        return None


class FakeProber:
    async def probe(self, url: str, stored: Stored) -> Probed:
        return Probed(1.0, 4, 3, "h264", b"")


class ShakyObjects:
    """A storage that is away for the first `away` tries to write."""

    def __init__(self, away: int) -> None:
        self.away = away

    def signed(self, method: str, key: str) -> str:
        return f"http://storage/{key}"

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self.away -= 1
        if self.away >= 0:
            raise StorageAwayError("down")


class SlowObjects(ShakyObjects):
    """A storage whose writes take until they are let go."""

    def __init__(self) -> None:
        super().__init__(away=0)
        self.writing, self.let_go, self.written = threading.Event(), threading.Event(), False

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self.writing.set()
        self.let_go.wait(5)
        self.written = True


class FakeLease:
    async def beat(self) -> None:
        return None


class Told:
    """The events that were sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def send(self, event: Event) -> None:
        self.events.append(event)


async def test_a_database_that_is_silent_is_not_the_end_of_a_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover, "REMEMBER_SECONDS", 0.05)
    nothing: Any = None
    moving = Mover(
        cast("Any", NotingTransfers()), nothing, nothing, cast("Any", SilentClaims()), nothing, concurrency=1
    )
    with pytest.raises(StorageAwayError):
        await moving.fetch(cast("Any", FakeLease()), ATTEMPT, "videos/u/1.mp4")


async def test_waiting_for_storage_is_told_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover, "STORAGE_PAUSE_SECONDS", 0.001)
    told = Told()
    moving = Mover(
        cast("Any", QuickTransfers()),
        cast("Any", FakeProber()),
        cast("Any", ShakyObjects(away=mover.STORAGE_TOLD_EVERY + 1)),
        cast("Any", SilentClaims()),
        Reports(told.send),
        concurrency=1,
    )
    await moving.fetch(cast("Any", FakeLease()), ATTEMPT, "videos/u/1.mp4")
    await asyncio.sleep(0)  # what is told is sent beside the work
    messages = [event.message for event in told.events if isinstance(event, TransferProgressed)]
    assert messages == [f"{STORAGE_AWAY} Trying again."] * 2 + [None]


async def test_a_poster_that_is_being_written_is_waited_for_when_the_transfer_is_stopped() -> None:
    """Else it would be written after a deletion had erased everything."""
    storage = SlowObjects()
    moving = Mover(
        cast("Any", QuickTransfers()),
        cast("Any", FakeProber()),
        cast("Any", storage),
        cast("Any", SilentClaims()),
        Reports(Told().send),
        concurrency=1,
    )
    fetching = asyncio.create_task(moving.fetch(cast("Any", FakeLease()), ATTEMPT, "videos/u/1.mp4"))
    await asyncio.to_thread(storage.writing.wait, 5)
    fetching.cancel()
    await asyncio.wait({fetching}, timeout=0.1)
    assert not fetching.done()
    storage.let_go.set()
    await asyncio.wait({fetching}, timeout=5)
    assert fetching.cancelled()
    assert storage.written
