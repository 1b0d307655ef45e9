"""Files that arrive, whatever their server does, and files that don't."""

import hashlib
import io
import time

import pytest
from PIL import Image

from services.media.mover import REPORT_SECONDS
from shared.contracts.events import TransferProgressed, TransferStarted, VideoFailed, VideoReady, VideoRemoved
from tests.integration.media.file_server import File
from tests.integration.media.world import World, new_user
from tests.media_files import padded, sound, video

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = 6_000_000
CONTENT_TYPES = {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mkv": "video/x-matroska"}


async def arrives(world: World, name: str, file: File) -> VideoReady:
    """Have `file` imported; return the news of it, with all that belongs to it checked."""
    video_id = await world.import_from(world.files.serve(name, file))
    ready = await world.event(VideoReady, video_id)
    assert world.told(video_id) == ["TransferStarted", "VideoReady"]
    assert await world.keys_of(video_id) == sorted([ready.s3_key, str(ready.poster_key)])
    assert await world.content(ready.s3_key) == file.body
    assert await world.content_type(ready.s3_key) == CONTENT_TYPES[ready.metadata.format]
    assert ready.metadata.size == len(file.body)
    assert ready.metadata.sha256 == hashlib.sha256(file.body).hexdigest()
    return ready


async def fails(world: World, url: str, code: str) -> VideoFailed:
    """Have `url` imported; return the news that it failed with `code` and left nothing."""
    video_id = await world.import_from(url)
    failed = await world.event(VideoFailed, video_id)
    assert failed.code == code, failed.message
    assert await world.keys_of(video_id) == []
    assert (await world.asset(video_id))["state"] == "failed"
    return failed


async def test_a_video_is_stored_measured_and_shown(world: World) -> None:
    body = video(seconds=3, width=640, height=360)
    ready = await arrives(world, "whole", File(body))
    assert ready.s3_key.startswith(f"videos/{ready.user_id}/")
    assert ready.s3_key.endswith(".mp4")
    assert ready.poster_key == ready.s3_key.replace(".mp4", ".jpg")
    seen = ready.metadata
    assert (seen.format, seen.codec, seen.width, seen.height, seen.duration) == ("mp4", "h264", 640, 360, 3.0)
    assert seen.original_url == f"http://127.0.0.1:{world.files.port}/whole"
    poster = Image.open(io.BytesIO(await world.content(str(ready.poster_key))))
    assert (poster.format, poster.size) == ("JPEG", (640, 360))
    assert world.files.asked["whole"] == [None]


@pytest.mark.parametrize("container", ["mov", "webm", "matroska"])
async def test_other_formats_are_taken_too(world: World, container: str) -> None:
    ready = await arrives(world, container, File(video(container=container), "application/octet-stream"))
    assert ready.metadata.format == {"matroska": "mkv"}.get(container, container)


async def test_a_length_nobody_told_is_no_problem(world: World) -> None:
    await arrives(world, "chunked", File(video(), length=False))
    await arrives(world, "chunked-large", File(padded(video(), 9_000_001), length=False))


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize("length", [True, False])
async def test_a_cut_is_resumed_where_the_server_can(world: World, rudely: bool, length: bool) -> None:
    name = f"cut-{rudely}-{length}"
    await arrives(world, name, File(padded(video(), LARGE), cuts=[4_000_000], rudely=rudely, length=length))
    first, second = world.files.asked[name]
    assert first is None
    assert int(str(second).removeprefix("bytes=").rstrip("-")) > 1_000_000


async def test_a_cut_starts_again_where_the_server_can_not_resume(world: World) -> None:
    await arrives(world, "no-ranges", File(padded(video(), LARGE), cuts=[4_000_000], ranges=False))
    await arrives(world, "no-etag", File(padded(video(), LARGE), cuts=[4_000_000], etag=None))
    assert world.files.asked["no-etag"] == [None, None]


async def test_a_file_that_changed_meanwhile_is_not_patched_together(world: World) -> None:
    file = File(padded(video(), LARGE), cuts=[4_000_000], pause_seconds=0.05)
    video_id = await world.import_from(world.files.serve("changing", file))
    await world.event(TransferProgressed, video_id)
    file.body, file.etag, file.pause_seconds = padded(video(seconds=3), LARGE), '"v2"', 0.0
    ready = await world.event(VideoReady, video_id)
    assert await world.content(ready.s3_key) == file.body


async def test_errors_of_the_server_are_waited_out(world: World) -> None:
    await arrives(world, "shaky", File(video(), statuses=[500, 503]))
    assert len(world.files.asked["shaky"]) == 3


async def test_progress_is_told_while_it_lasts(world: World) -> None:
    file = File(padded(video(), 2_000_000), pause_seconds=0.05)
    begun = time.monotonic()
    ready = await arrives(world, "slow", file)
    took = time.monotonic() - begun
    told = [e for e in world.published if isinstance(e, TransferProgressed) and e.video_id == ready.video_id]
    assert 2 <= len(told) <= 2 + took / REPORT_SECONDS
    assert [e.transferred_bytes for e in told] == sorted(e.transferred_bytes for e in told)
    assert {e.size_bytes for e in told} == {len(file.body)}


async def test_redirects_are_followed(world: World) -> None:
    target = world.files.serve("target", File(video()))
    video_id = await world.import_from(world.files.serve("moved", File(b"", location=target)))
    await world.event(VideoReady, video_id)


async def test_a_file_that_ends_early_every_time_fails(world: World) -> None:
    truncated = File(padded(video(), LARGE), ends_at=3_000_000)
    failed = await fails(world, world.files.serve("truncated", truncated), "SOURCE_INCOMPLETE")
    assert failed.retryable
    assert "too early" in failed.message


async def test_a_file_that_is_incomplete_in_itself_fails(world: World) -> None:
    await fails(world, world.files.serve("half", File(video(seconds=5)[:-2000])), "SOURCE_INCOMPLETE")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("page", File(b"<html>Log in first</html>", "text/html; charset=utf-8")),
        ("json", File(b'{"error": 1}', "application/json")),
        ("text", File(b"just words, many of them " * 99, "video/mp4")),
        ("playlist", File(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video/mp4")),
        ("empty", File(b"")),
        ("sound", File(sound())),
        ("broken", File(video()[:40] + bytes(5000))),
    ],
)
async def test_what_is_no_video_fails(world: World, name: str, file: File) -> None:
    failed = await fails(world, world.files.serve(name, file), "NOT_A_VIDEO")
    assert not failed.retryable


async def test_what_is_too_large_fails(world: World) -> None:
    told = File(padded(video(), 20_000_001))
    await fails(world, world.files.serve("large", told), "SOURCE_TOO_LARGE")
    assert world.files.sent_bytes["large"] < 15_000_000
    untold = File(padded(video(), 20_000_001), length=False)
    await fails(world, world.files.serve("large-chunked", untold), "SOURCE_TOO_LARGE")


async def test_what_is_not_given_away_fails(world: World) -> None:
    await fails(world, f"http://127.0.0.1:{world.files.port}/nowhere", "SOURCE_UNREACHABLE")
    await fails(world, world.files.serve("secret", File(b"", statuses=[403])), "SOURCE_REFUSED")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/a.mp4",
        "http://[::1]/a.mp4",
        "http://0x0a000001/a.mp4",
        "ftp://example.com/a.mp4",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1/a.mp4",
    ],
)
async def test_addresses_that_must_not_be_fetched_are_refused(world: World, url: str) -> None:
    await fails(world, url, "SOURCE_REFUSED")


async def test_a_redirect_into_a_private_network_is_refused(world: World) -> None:
    await fails(world, world.files.serve("trap", File(b"", location="http://10.0.0.1/a.mp4")), "SOURCE_REFUSED")


async def test_redirects_in_a_circle_are_refused(world: World) -> None:
    url = f"http://127.0.0.1:{world.files.port}/circle"
    world.files.serve("circle", File(b"", location=url))
    await fails(world, url, "SOURCE_REFUSED")
    assert len(world.files.asked["circle"]) == 6


async def test_the_same_request_again_changes_nothing(world: World) -> None:
    user_id = new_user()
    url = world.files.serve("once", File(video()))
    video_id = await world.import_from(url, user_id)
    ready = await world.event(VideoReady, video_id)
    await world.complete(video_id, video_url=url)
    other = await world.import_from(url)
    await world.event(VideoReady, other)
    assert (await world.asset(video_id))["key"] == ready.s3_key
    assert world.told(video_id) == ["TransferStarted", "VideoReady"]
    assert world.files.asked["once"] == [None, None]


async def test_transfer_started_names_the_attempt(world: World) -> None:
    video_id = await world.import_from(world.files.serve("named", File(video())))
    started = await world.event(TransferStarted, video_id)
    assert (started.title, started.attempt, started.adopted) == ("A tour", 1, False)


async def test_who_asks_again_is_told_again_how_it_stands(world: World) -> None:
    good, bad = world.files.serve("again", File(video())), world.files.serve("again-bad", File(b"no video at all"))
    for url, kind in ((good, VideoReady), (bad, VideoFailed)):
        video_id = await world.import_from(url)
        first = await world.event(kind, video_id)
        world.published.clear()
        await world.ask_again(video_id, url)
        again = await world.event(kind, video_id)
        apart = {"time", "traceparent"}
        assert again.model_dump(exclude=apart) == first.model_dump(exclude=apart)
        assert len(world.files.asked[url.rpartition("/")[2]]) <= 2, "nothing is fetched again"


async def test_who_stops_or_deletes_again_is_told_again(world: World) -> None:
    video_id = await world.import_from(world.files.serve("stopped", File(video())))
    await world.event(VideoReady, video_id)
    await world.cancel(video_id)
    assert (await world.event(VideoFailed, video_id)).code == "CANCELLED"
    world.published.clear()
    await world.cancel(video_id)
    assert (await world.event(VideoFailed, video_id)).code == "CANCELLED"
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
    world.published.clear()
    await world.delete(video_id)
    await world.event(VideoRemoved, video_id)
