"""What is seen in files: here in the same process, over a file that stands for the storage."""

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import pytest
from PIL import Image

from services.media import probe_process
from tests.integration.media.file_server import File, FileServer
from tests.media_files import padded, sound, video


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer().running() as files:
        yield files


def look(files: FileServer, body: bytes, demuxer: str = "mov") -> tuple[dict[str, Any], bytes | None]:
    url = files.serve("stored", File(body)) + "?signed=1"
    return probe_process.look({"url": url, "size": len(body), "demuxer": demuxer})


def test_a_video_is_described(files: FileServer) -> None:
    facts, poster = look(files, video(seconds=4, width=640, height=360))
    assert facts == {"duration": 4.0, "width": 640, "height": 360, "codec": "h264"}
    assert Image.open(io.BytesIO(poster or b"")).size == (640, 360)
    assert json.dumps(facts)


def test_posters_are_not_wider_than_pages(files: FileServer) -> None:
    _, poster = look(files, video(seconds=1, width=1920, height=1080))
    assert Image.open(io.BytesIO(poster or b"")).size == (1280, 720)


@pytest.mark.parametrize(("container", "demuxer"), [("mov", "mov"), ("webm", "matroska"), ("matroska", "matroska")])
def test_other_containers_are_described(files: FileServer, container: str, demuxer: str) -> None:
    facts, poster = look(files, video(container=container), demuxer)
    assert (facts["width"], facts["height"]) == (320, 180)
    assert poster


@pytest.mark.parametrize(
    "body",
    [
        sound(),
        video()[:40] + bytes(400),
        b"\0\0\0\x14ftypisom" + bytes(8),
        bytes(100),
        b"\0\0\0\x10ftypisom" + b"x" * 99,
    ],
)
def test_what_can_not_be_watched_is_said_so(files: FileServer, body: bytes) -> None:
    facts, poster = look(files, body)
    assert facts["problem"] == "not_a_video"
    assert poster is None


@pytest.mark.parametrize("missing", [1, 100, 2000])
def test_a_file_that_ends_early_is_recognised(files: FileServer, missing: int) -> None:
    facts, _ = look(files, video(seconds=4)[:-missing])
    assert facts == {"problem": "ends_early"}


def test_a_connection_that_the_storage_has_ended_meanwhile_is_made_anew(files: FileServer) -> None:
    body = padded(video(), 3_000_000)
    url = files.serve("far", File(body))  # this server ends every connection after one answer
    file = probe_process.RangeFile(url, len(body))
    with file:
        begin = file.read(100)
        file.seek(2_999_900)
        assert (begin, file.read(100)) == (body[:100], body[-100:])
    assert file.problem is None


def test_a_file_of_very_many_boxes_is_not_walked_for_ever(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_process, "BOXES_SECONDS", 0.0)
    body = video(seconds=1) + b"".join((8).to_bytes(4) + b"free" for _ in range(100)) + (99).to_bytes(4) + b"free"
    facts, _ = look(files, body)
    assert facts["codec"] == "h264"


def test_padding_is_no_problem(files: FileServer) -> None:
    facts, _ = look(files, padded(video(), 500_000))
    assert facts["codec"] == "h264"


def test_a_video_that_was_held_upright_is_shown_upright(files: FileServer) -> None:
    lying, upright = _matrix(1, 0, 0, 1), _matrix(0, 1, -1, 0)
    header, track = video(width=320, height=180).split(b"tkhd")
    facts, poster = look(files, header + b"tkhd" + track.replace(lying, upright, 1))
    assert (facts["width"], facts["height"]) == (180, 320)
    assert Image.open(io.BytesIO(poster or b"")).size == (180, 320)


def _matrix(*values: int) -> bytes:
    a, b, c, d = (value << 16 for value in values)
    return b"".join(number.to_bytes(4, signed=True) for number in (a, b, 0, c, d, 0, 0, 0, 1 << 30))


def test_a_cover_is_no_video(files: FileServer) -> None:
    facts, _ = look(files, _song_with_cover())
    assert facts["problem"] == "not_a_video"


def test_storage_that_fails_is_not_blamed_on_the_file(files: FileServer) -> None:
    url = files.serve("gone", File(b"", statuses=[503] * 9))
    facts, _ = probe_process.look({"url": url, "size": 1000, "demuxer": "matroska"})
    assert facts["problem"] == "storage"


def _song_with_cover() -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        song = output.add_stream("aac", rate=44_100)
        picture = av.VideoFrame.from_image(Image.new("RGB", (64, 64)))  # type: ignore[no-untyped-call]
        picture.pts, picture.time_base = 0, Fraction(1)
        output.mux(cover.encode(picture))
        output.mux(cover.encode())
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate, frame.pts = 44_100, 0
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux(song.encode(frame))
        output.mux(song.encode())
    return written.getvalue()
