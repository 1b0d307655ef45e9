"""What users are told, from events on Kafka to their live stream and their history."""

import httpx
from pymongo.asynchronous.database import AsyncDatabase

from shared.contracts.events import NotificationCreated, TransferProgressed, WorkflowProgressed
from tests.integration.notifier.partners import Publisher, Video, listening
from tests.waiting import until


async def test_the_notifications_are_those_clients_know(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    video = Video(user_id)
    async with listening(client) as heard:
        assert heard.named("ready")[0].data == {"seq": 0}
        assert heard.retry_ms == 2000
        for number, event in enumerate(video.story(), start=1):
            await publisher.publish(event)
            await until(lambda number=number: len(heard.stored) == number)  # type: ignore[misc]
        rendering, download, complete = heard.stored
    assert (
        download.items()
        >= {
            "type": "download",
            "status": "progress",
            "message": "Starting video download...",
        }.items()
    )
    assert (
        complete.items()
        >= {
            "type": "complete",
            "status": "success",
            "message": "Video downloaded and uploaded successfully!",
            "videoId": video.video_id,
            "title": "Three things",
            "size": 7340032,
        }.items()
    )
    assert rendering["estimated_completion"] == "2025-10-02T13:44:00.638Z"
    assert [sent["seq"] for sent in heard.stored] == [1, 2, 3]
    assert [sent.id for sent in heard.named("video-download-update")] == ["1", "2", "3"]
    for sent in heard.stored:
        assert (sent["videoId"], sent["attempt"], sent["title"]) == (video.video_id, 1, "Three things")
        assert sent["timestamp"].endswith("Z")


async def test_a_failure_says_why_and_whether_to_try_again(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    async with listening(client) as heard:
        await publisher.publish(Video(user_id).failed())
        await until(lambda: heard.stored)
    (error,) = heard.stored
    assert (
        error.items()
        >= {
            "type": "error",
            "status": "error",
            "message": "Video creation failed. Please try again.",
            "code": "NOT_A_VIDEO",
            "reason": "Not so.",
            "retryable": True,
        }.items()
    )
    assert error["timestamp"].endswith("Z")


async def test_progress_is_shown_live_without_an_id_and_not_kept(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    video = Video(user_id)
    about = {"video_id": video.video_id, "user_id": user_id, "attempt": 1, "title": "Three things"}
    async with listening(client) as heard:
        await publisher.publish(video.started())
        await until(lambda: heard.types == ["rendering"])
        await publisher.publish(WorkflowProgressed(id="p1", progress=42.5, message="Scene 3", **about))
        await until(lambda: len(heard.updates) == 2)
        await publisher.publish(video.transferring())
        await until(lambda: heard.types == ["rendering", "download"])
        await publisher.publish(TransferProgressed(id="p2", transferred_bytes=50, size_bytes=200, **about))
        await until(lambda: len(heard.updates) == 4)
        await publisher.publish(video.ready())
        await until(lambda: heard.types[-1] == "complete")
        await publisher.publish(TransferProgressed(id="p3", transferred_bytes=100, size_bytes=200, **about))
        await publisher.publish(WorkflowProgressed(id="p4", progress=99, **about))
        await publisher.publish(Video(user_id).failed())
        await until(lambda: heard.types[-1] == "error")
    passing = [sent for sent in heard.named("video-download-update") if sent.id is None]
    assert [(p.data["type"], p.data["progress"]) for p in passing] == [("rendering", 42.5), ("transfer", 25.0)]
    assert passing[0].data["message"] == "Scene 3"
    assert {"before"} & passing[0].data.keys() == set()
    kept = (await client.get("/api/notifications")).json()["data"]["notifications"]
    assert [notification["type"] for notification in kept] == ["error", "complete", "download", "rendering"]


async def told(client: httpx.AsyncClient) -> list[str]:
    found = (await client.get("/api/notifications")).json()["data"]["notifications"]
    return [f"{one['type']} {one.get('attempt')}" for one in reversed(found)]


async def settle(publisher: Publisher, client: httpx.AsyncClient, user_id: str) -> None:
    """Wait until everything published before was handled: a last video on each topic must be told, whatever its key."""
    for _ in range(12):  # enough videos to reach every partition of both topics
        last = Video(user_id)
        await publisher.publish(last.started(), last.ready())
    await until(lambda: _count(client, 12))


async def _count(client: httpx.AsyncClient, videos: int) -> bool:
    found = (await client.get("/api/notifications?limit=200")).json()["data"]["notifications"]
    return sum(1 for one in found if one["type"] == "complete" and one["title"] == "Three things") >= videos


async def test_an_event_that_comes_again_is_told_once(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str, database: AsyncDatabase[dict[str, object]]
) -> None:
    video = Video(user_id)
    story = video.story()
    for number, event in enumerate(story, start=1):  # two topics: only what was told before is sure to come before
        await publisher.publish(event)
        await until(lambda number=number: _has_told(client, number))  # type: ignore[misc]
    await publisher.publish(*story, *story, video.failed())
    await settle(publisher, client, user_id)
    assert await database["notifications"].count_documents({"videoId": video.video_id}) == 3


async def test_who_tells_an_end_again_hears_that_the_user_was_told(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str, heard_by_all: list[NotificationCreated]
) -> None:
    video = Video(user_id)
    end = video.failed()
    for _ in range(2):
        heard_by_all.clear()
        await publisher.publish(end)
        await until(lambda: any(event.video_id == video.video_id for event in heard_by_all))
    again = next(event for event in heard_by_all if event.video_id == video.video_id)
    assert (again.user_id, again.seq, again.order) == (user_id, 1, 1090)
    await settle(publisher, client, user_id)
    assert [kind for kind in await told(client) if kind.startswith("error")] == ["error 1"]


async def _has_told(client: httpx.AsyncClient, count: int) -> bool:
    return len(await told(client)) == count


async def _told_is(client: httpx.AsyncClient, expected: list[str]) -> bool:
    return await told(client) == expected


async def test_what_is_late_is_dropped_and_adoption_may_follow_a_failure(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    video = Video(user_id)

    async def then(event: object, *expected: str) -> None:
        await publisher.publish(event)  # type: ignore[arg-type]
        await until(lambda: _told_is(client, list(expected)))

    await then(video.started(certain=False), "rendering 1")
    await then(video.workflow_failed(), "rendering 1", "error 1")
    await publisher.publish(video.transferring(), video.transferring(adopted=True), video.failed(), video.started())
    await then(video.ready(), "rendering 1", "error 1", "complete 1")

    second = Video(user_id, video.video_id, attempt=2)
    await then(second.transferring(), "rendering 1", "error 1", "complete 1", "download 2")
    await publisher.publish(video.failed(), video.ready())
    cancelled = ["rendering 1", "error 1", "complete 1", "download 2", "error 2"]
    await then(second.failed("CANCELLED"), *cancelled)
    await publisher.publish(second.ready())
    await then(second.removed(), *cancelled, "removed 2")
    third = Video(user_id, video.video_id, attempt=3)
    await publisher.publish(*third.story(), second.removed())
    await settle(publisher, client, user_id)
    mine = (await client.get("/api/notifications?limit=200")).json()["data"]["notifications"]
    assert sum(1 for one in mine if one["videoId"] == video.video_id) == 6


async def test_people_are_told_of_their_own_videos_only(
    client: httpx.AsyncClient, publisher: Publisher, user_id: str
) -> None:
    async with listening(client) as heard:
        await publisher.publish(Video(f"{user_id}0").failed(), Video(user_id[:-1]).failed(), Video(user_id).failed())
        await until(lambda: heard.stored)
        assert [sent["seq"] for sent in heard.stored] == [1]
    assert await told(client) == ["error 1"]
