"""A probe that comes to no end: whose fault that is, and how often it may happen."""

import time
from typing import Any, cast

import pytest

from services.media import inspection
from services.media.domain import HopelessError
from services.media.formats import MP4
from services.media.inspection import Inspection
from services.media.objects import ObjectMissingError, StorageAwayError
from services.media.probe import Probed, ProbeTimeoutError
from services.media.transfer import Stored

STORED = Stored(size_bytes=10, sha256="", md5="", format=MP4)
SEEN = Probed(1.0, 4, 3, "h264", b"")


class FakeProber:
    """Ends as told, one after the other."""

    def __init__(self, *ends: Probed | Exception) -> None:
        self.ends = list(ends)

    async def probe(self, url: str, stored: Stored) -> Probed:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


class FakeObjects:
    """A storage that gives objects as told, one answer after the other; then it gives them."""

    def __init__(self, *problems: Exception | None, seconds: float = 0.0) -> None:
        self.problems = list(problems)
        self.seconds = seconds

    def signed(self, method: str, key: str) -> str:
        return f"http://storage/{key}"

    def first_bytes(self, key: str) -> bytes:
        time.sleep(self.seconds)
        if self.problems and (problem := self.problems.pop(0)):
            raise problem
        return b"\0"


def inspecting(prober: FakeProber, objects: FakeObjects) -> Inspection:
    return Inspection(cast("Any", prober), cast("Any", objects), "videos/u/1.mp4", STORED)


async def test_a_file_that_is_slow_to_probe_is_probed_twice_and_refused() -> None:
    prober = FakeProber(*[ProbeTimeoutError()] * 9)
    with pytest.raises(HopelessError) as failure:
        await inspecting(prober, FakeObjects()).look()
    assert failure.value.code == "NOT_A_VIDEO"
    assert len(prober.ends) == 7


async def test_one_slow_probe_is_forgiven() -> None:
    assert await inspecting(FakeProber(ProbeTimeoutError(), SEEN), FakeObjects()).look() == SEEN


@pytest.mark.parametrize("problem", [StorageAwayError("503"), ObjectMissingError()])
async def test_a_slow_probe_is_not_held_against_the_file_while_the_storage_is_away(problem: Exception) -> None:
    prober = FakeProber(*[ProbeTimeoutError()] * 5, SEEN)
    look = inspecting(prober, FakeObjects(problem, problem, problem, problem, None)).look
    for _ in range(4):
        with pytest.raises(StorageAwayError):
            await look()
    assert await look() == SEEN


async def test_slow_probes_are_counted_across_an_outage() -> None:
    look = inspecting(FakeProber(*[ProbeTimeoutError()] * 9), FakeObjects(None, StorageAwayError("503"))).look
    with pytest.raises(StorageAwayError):
        await look()
    with pytest.raises(HopelessError):
        await look()


async def test_a_storage_that_is_slow_itself_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "ANSWER_SECONDS", 0.05)
    with pytest.raises(StorageAwayError):
        await inspecting(FakeProber(ProbeTimeoutError()), FakeObjects(seconds=0.3)).look()
