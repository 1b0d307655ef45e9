"""Moving files, with everything around it played by the test."""

import asyncio
from typing import Any, cast

import pytest

from services.media import mover
from services.media.domain import Attempt, Source
from services.media.mover import Mover
from services.media.objects import StorageAwayError


class SilentClaims:
    """A database that does not answer."""

    async def remember_upload(self, key: str, upload_id: str) -> None:
        await asyncio.Event().wait()


class NotingTransfers:
    """Begins an upload, which has to be noted first."""

    def fetch(self, url: str, key: str, *, remember: Any, **_: Any) -> None:
        remember("upload-1")


class FakeLease:
    async def beat(self) -> None:
        return None


async def test_a_database_that_is_silent_is_not_the_end_of_a_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover, "REMEMBER_SECONDS", 0.05)
    nothing: Any = None
    moving = Mover(
        cast("Any", NotingTransfers()), nothing, nothing, cast("Any", SilentClaims()), nothing, concurrency=1
    )
    attempt = Attempt("v", "u", 1, "A tour", Source(video_url="http://files.test/a.mp4"))
    with pytest.raises(StorageAwayError):
        await moving.fetch(cast("Any", FakeLease()), attempt, "videos/u/1.mp4")
