"""What the service makes of the way the probing process ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.media import probe
from services.media.domain import EndsEarlyError, HopelessError
from services.media.formats import MP4
from services.media.objects import StorageAwayError
from services.media.probe import Prober, ProbeTimeoutError
from services.media.transfer import Stored

STORED = Stored(size_bytes=10, sha256="", md5="", format=MP4)


Replace = Callable[[str], None]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Replace:
    """Puts a program in the place of the one that looks into files."""

    def write(program: str) -> None:
        path = tmp_path / "probe.py"
        path.write_text(program)
        monkeypatch.setattr(probe, "PROGRAM", path)

    return write


def answering(facts: dict[str, object], poster: bytes = b"") -> str:
    output = json.dumps(facts).encode() + b"\n" + poster
    return f"import sys; sys.stdout.buffer.write({output!r})"


async def test_facts_and_poster_are_returned(ending: Replace) -> None:
    facts = {"duration": 1.5, "width": 4, "height": 3, "codec": "h264"}
    ending(answering(facts, b"\xff\xd8\n\xff"))
    seen = await Prober(timeout_seconds=20).probe("http://storage/x", STORED)
    assert (seen.duration, seen.width, seen.height, seen.codec) == (1.5, 4, 3, "h264")
    assert seen.poster == b"\xff\xd8\n\xff"


@pytest.mark.parametrize("end", ["import os; os.abort()", "import sys; sys.exit(1)", "1/0"])
async def test_a_file_that_breaks_the_process_is_no_video(ending: Replace, end: str) -> None:
    ending(end)
    with pytest.raises(HopelessError) as failure:
        await Prober(timeout_seconds=20).probe("http://storage/x", STORED)
    assert failure.value.code == "NOT_A_VIDEO"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
async def test_a_process_that_is_stopped_from_outside_says_nothing_of_the_file(ending: Replace, name: str) -> None:
    # Set first: what runs in the background of a shell, or under nohup, inherits that some signals are ignored.
    ending(f"import os, signal as s; s.signal(s.{name}, s.SIG_DFL); os.kill(os.getpid(), s.{name})")
    with pytest.raises(StorageAwayError):
        await Prober(timeout_seconds=20).probe("http://storage/x", STORED)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"problem": "not_a_video", "detail": "No."}, HopelessError),
        ({"problem": "ends_early"}, EndsEarlyError),
        ({"problem": "storage", "detail": "503"}, StorageAwayError),
    ],
)
async def test_problems_have_their_own_meaning(
    ending: Replace, facts: dict[str, object], error: type[Exception]
) -> None:
    ending(answering(facts))
    with pytest.raises(error):
        await Prober(timeout_seconds=20).probe("http://storage/x", STORED)


async def test_a_probe_that_hangs_is_ended(ending: Replace) -> None:
    ending("import time; time.sleep(60)")
    with pytest.raises(ProbeTimeoutError):
        await Prober(timeout_seconds=0.5).probe("http://storage/x", STORED)


async def test_the_process_sees_nothing_of_the_environment(ending: Replace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_KEY", "hidden")
    ending("import os; assert 'S3_SECRET_KEY' not in os.environ\n" + answering({"problem": "ends_early"}))
    with pytest.raises(EndsEarlyError):
        await Prober(timeout_seconds=20).probe("http://storage/x", STORED)
