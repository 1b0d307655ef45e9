"""What media notes for timelines: tries that failed, takeovers, resumed connections, what the file was seen to be."""

import httpx
import pytest

from shared.contracts.events import TransferNoted, TransferProgressed, VideoFailed, VideoReady
from tests.driving import eventually
from tests.integration.media.file_server import File
from tests.integration.media.world import World, new_user, slow, video_of
from tests.media_files import padded, video

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = 6_000_000


async def noted(world: World, video_id: str, code: str) -> list[TransferNoted]:
    """Return all notes of an attempt once one of them has `code`."""

    async def look() -> list[TransferNoted] | None:
        notes = world.notes(video_id)
        return notes if any(note.code == code for note in notes) else None

    return await eventually(look, code)


async def test_each_try_that_failed_is_noted_with_its_reason(world: World) -> None:
    url = world.files.serve("shaky-notes", File(video(), statuses=[500, 503])) + "?token=geheim"
    video_id = await world.import_from(url)
    await world.event(VideoReady, video_id)
    notes = await noted(world, video_id, "transfer.probed")
    assert [(note.code, note.details.get("try")) for note in notes] == [
        ("transfer.try_failed", 1),
        ("transfer.try_failed", 2),
        ("transfer.probed", None),
    ]
    expected = "Try 1 failed: the video's server has trouble of its own (HTTP 500); the next one comes after "
    assert notes[0].message.startswith(expected)
    assert notes[0].details["from"] == "http://127.0.0.1"
    assert "mp4, h264" in notes[2].message
    assert all(note.traceparent for note in notes)
    assert "geheim" not in str([note.model_dump_json() for note in notes])


async def test_the_last_try_is_noted_as_such(world: World) -> None:
    video_id = await world.import_from(world.files.serve("page", File(b"<html>", content_type="text/html")))
    await world.event(VideoFailed, video_id)
    (note,) = await noted(world, video_id, "transfer.refused")
    assert (note.level, note.details["code"], note.details["try"]) == ("error", "NOT_A_VIDEO", 1)
    short = File(padded(video(), LARGE), ends_at=2_000_000, ranges=False)
    video_id = await world.import_from(world.files.serve("short-notes", short))
    await world.event(VideoFailed, video_id)
    notes = await noted(world, video_id, "transfer.try_failed")
    assert notes[-1].message.endswith("; it was the last one.")
    assert notes[-1].details["again"] is False


async def test_a_connection_that_was_resumed_is_noted(world: World) -> None:
    video_id = await world.import_from(world.files.serve("cut-notes", File(padded(video(), LARGE), cuts=[4_000_000])))
    await world.event(VideoReady, video_id)
    notes = await noted(world, video_id, "transfer.probed")
    assert [note.code for note in notes] == ["transfer.resumed", "transfer.probed"]
    assert notes[0].details["times"] == 1


async def test_a_takeover_is_noted(world: World) -> None:
    file = File(padded(video(), LARGE), pause_seconds=0.05)
    video_id = await world.import_from(world.files.serve("killed-notes", file))
    await world.event(TransferProgressed, video_id)
    file.pause_seconds = 0.0
    await world.stack.kill("media")
    await world.stack.start("media")
    await world.event(VideoReady, video_id, seconds=40)
    notes = await noted(world, video_id, "transfer.taken_over")
    assert notes[0].details["try"] == 2


async def test_a_late_result_given_up_for_another_attempt_is_noted(world: World) -> None:
    video_id = video_of(new_user())
    url = world.files.serve("overtaken-notes", slow())
    await world.complete(video_id, video_url=url, adopted=True)
    await world.event(TransferProgressed, video_id)
    await world.retry(video_id, 2, kind="generate", video_url=world.files.serve("overtaking-notes", File(video())))
    await world.event(VideoReady, video_id, attempt=2)
    notes = await noted(world, video_id, "transfer.given_up")
    assert [(note.code, note.attempt, note.lasting) for note in notes] == [("transfer.given_up", 1, True)]


async def test_it_says_that_it_notes(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.stack.url("media"), trust_env=False) as client:
        assert "TransferNoted" in (await client.get("/asyncapi.json")).text
