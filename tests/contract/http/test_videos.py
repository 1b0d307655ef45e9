"""What users see of their videos and do with them, field for field."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.http.shapes import HISTORY, LINK, TIME, VIDEO, check, refusal, success
from tests.integration.gateway import events
from tests.integration.gateway.world import Person, World, unknown_video

GALLERY = {"videos": [VIDEO], "nextCursor": (str, type(None))}
ACTIONS = (
    ("GET", "status"),
    ("GET", "download"),
    ("GET", "timeline"),
    ("DELETE", "delete"),
    ("POST", "retry"),
    ("POST", "cancel"),
)
LISTS = ("gallery", "history", "statistics", "avatars", "voices", "topics")


async def ready_video(world: World, person: Person, title: str = "A tour") -> str:
    video_id = await person.ask(title)
    await world.publish(events.ready(video_id))
    await person.sees(video_id, status="ready")
    return video_id


async def failed_video(world: World, person: Person) -> str:
    video_id = await person.ask()
    await world.publish(events.workflow_failed(video_id))
    await person.sees(video_id, status="failed")
    return video_id


async def test_a_video_that_waits(world: World) -> None:
    person = await world.person()
    video = await person.status(await person.ask("Quiet streets"))
    check(video, VIDEO)
    assert (video["status"], video["stage"], video["attempt"]) == ("pending", "queued", 1)
    assert (video["title"], video["userId"]) == ("Quiet streets", person.user_id)
    assert "estimated_completion" in video


async def test_a_video_that_is_ready(world: World) -> None:
    person = await world.person()
    video = await person.status(await ready_video(world, person))
    check(video, VIDEO)
    assert {"downloadUrl", "posterUrl", "s3Key", "metadata"} <= set(video)
    assert "error" not in video
    assert "progress" not in video
    assert "estimated_completion" not in video
    assert video["metadata"] == events.METADATA.model_dump(by_alias=True, exclude_none=True)
    signed = urlsplit(video["downloadUrl"])
    assert signed.netloc == urlsplit(world.stack.url("s3")).netloc
    assert signed.path == f"/reelway/{video['s3Key']}"
    assert "X-Amz-Signature" in parse_qs(signed.query)


async def test_a_video_that_failed(world: World) -> None:
    person = await world.person()
    video = await person.status(await failed_video(world, person))
    check(video, VIDEO)
    assert video["error"] == {"code": "WORKFLOW_FAILED", "message": "It broke.", "retryable": True}
    assert "downloadUrl" not in video


async def test_the_gallery_is_own_and_newest_first(world: World) -> None:
    ann, ben = await world.person(), await world.person()
    mine = [await ann.ask(f"Tour {number}") for number in range(3)]
    await ben.ask("Somebody else's")
    data = success(await ann.client.get("/api/video/gallery"), 200, GALLERY)
    assert [video["videoId"] for video in data["videos"]] == mine[::-1]
    assert data["nextCursor"] is None


async def test_the_gallery_page_by_page(world: World) -> None:
    person = await world.person()
    mine = [await person.ask(f"Tour {number}") for number in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for size in (2, 2, 1):
        data = success(await person.client.get("/api/video/gallery", params=query), 200, GALLERY)
        assert len(data["videos"]) == size
        seen += [video["videoId"] for video in data["videos"]]
        query["cursor"] = data["nextCursor"]
    assert data["nextCursor"] is None
    assert seen == mine[::-1]


async def test_the_gallery_by_status(world: World) -> None:
    person = await world.person()
    done, broken, waiting = await ready_video(world, person), await failed_video(world, person), await person.ask()
    for status, video_id in (("ready", done), ("failed", broken), ("pending", waiting)):
        data = success(await person.client.get("/api/video/gallery", params={"status": status}), 200, GALLERY)
        assert [video["videoId"] for video in data["videos"]] == [video_id]
    empty = success(await person.client.get("/api/video/gallery?status=processing"), 200, GALLERY)
    assert empty == {"videos": [], "nextCursor": None}


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "VALIDATION_FAILED", "limit"),
        ("limit=101", "VALIDATION_FAILED", "limit"),
        ("limit=many", "VALIDATION_FAILED", "limit"),
        ("status=lost", "VALIDATION_FAILED", "status"),
        ("cursor=x", "INVALID_CURSOR", "cursor"),
        ("cursor=%00%ff", "INVALID_CURSOR", "cursor"),
        ("cursor=eyIkZ3QiOiAiIn0", "INVALID_CURSOR", "cursor"),
        ("cursor=", "INVALID_CURSOR", "cursor"),
    ],
)
async def test_hostile_queries_are_refused(world: World, query: str, code: str, field: str) -> None:
    person = await world.person()
    refusal(await person.client.get(f"/api/video/gallery?{query}"), 422, code, field)


async def test_a_download_by_browser_and_by_program(world: World) -> None:
    person = await world.person()
    video_id = await ready_video(world, person, 'Größe "7" / ok')
    answer = await person.client.get(f"/api/video/download/{video_id}")
    assert answer.status_code == 302
    named = parse_qs(urlsplit(answer.headers["location"]).query)["response-content-disposition"][0]
    assert named.startswith("attachment; ")
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%207%20ok.mp4" in named
    head = await person.client.head(f"/api/video/download/{video_id}")
    assert (head.status_code, head.content) == (302, b"")
    assert urlsplit(head.headers["location"]).path == urlsplit(answer.headers["location"]).path
    as_json = await person.client.get(f"/api/video/download/{video_id}", headers={"Accept": "application/json"})
    data = success(as_json, 200, {"downloadUrl": LINK, "expiresAt": TIME})
    assert datetime.fromisoformat(data["expiresAt"]).timestamp() > datetime.now().timestamp()


async def test_no_download_until_ready(world: World) -> None:
    person = await world.person()
    waiting, broken = await person.ask(), await failed_video(world, person)
    refusal(await person.client.get(f"/api/video/download/{waiting}"), 409, "NOT_READY")
    assert "failed" in refusal(await person.client.get(f"/api/video/download/{broken}"), 409, "NOT_READY")
    assert (await person.client.head(f"/api/video/download/{broken}")).status_code == 409


async def test_delete(world: World) -> None:
    person = await world.person()
    video_id = await ready_video(world, person)
    answer = await person.client.delete(f"/api/video/delete/{video_id}")
    success(answer, 200, {"videoId": re.compile(video_id)}, "Video deleted")
    refusal(await person.client.get(f"/api/video/status/{video_id}"), 404, "VIDEO_NOT_FOUND")
    refusal(await person.client.delete(f"/api/video/delete/{video_id}"), 404, "VIDEO_NOT_FOUND")
    data = success(await person.client.get("/api/video/gallery"), 200, GALLERY)
    assert data["videos"] == []


async def test_retry(world: World) -> None:
    person = await world.person()
    video_id = await failed_video(world, person)
    data = success(await person.client.post(f"/api/video/retry/{video_id}"), 202, VIDEO)
    assert (data["status"], data["attempt"]) == ("processing", 2)
    assert "error" not in data
    refusal(await person.client.post(f"/api/video/retry/{video_id}"), 409, "NOT_FAILED")


async def test_cancel(world: World) -> None:
    person = await world.person()
    video_id = await person.ask()
    data = success(await person.client.post(f"/api/video/cancel/{video_id}"), 202, VIDEO)
    assert (data["status"], data["error"]["code"]) == ("failed", "CANCELLED")
    refusal(await person.client.post(f"/api/video/cancel/{video_id}"), 409, "NOT_RUNNING")


@pytest.mark.parametrize(("method", "action"), ACTIONS)
async def test_anothers_video_and_nobodys_look_the_same(world: World, method: str, action: str) -> None:
    ann, ben = await world.person(), await world.person()
    anns = await ready_video(world, ann)
    answers = [
        await ben.client.request(method, f"/api/video/{action}/{video_id}")
        for video_id in (anns, unknown_video(), "nonsense", "a%00b", "$gt", "x" * 2000)
    ]
    for answer in answers:
        refusal(answer, 404, "VIDEO_NOT_FOUND")
        assert answer.json() == answers[0].json()
    assert (await ann.status(anns))["status"] == "ready"


@pytest.mark.parametrize(
    ("method", "path"), [*((m, f"{a}/x_1") for m, a in ACTIONS), *(("GET", name) for name in LISTS)]
)
async def test_nothing_without_logging_in(world: World, method: str, path: str) -> None:
    refusal(await world.client().request(method, f"/api/video/{path}"), 401, "UNAUTHENTICATED")


async def test_history(world: World) -> None:
    person = await world.person()
    first, second = await person.ask(), await person.ask()
    await world.publish(events.started(first), events.completed(first), events.workflow_failed(second))
    await person.sees(first, stage="completed")
    await person.sees(second, status="failed")
    shape = {"workflows": [HISTORY], "nextCursor": (str, type(None))}
    data = success(await person.client.get("/api/video/history"), 200, shape)
    failed, done = data["workflows"]
    assert (done["videoId"], done["status"], done["executionId"]) == (first, "completed", "7")
    assert "completedAt" in done
    assert (failed["videoId"], failed["status"], failed["errorMessage"]) == (second, "failed", "It broke.")
    page = success(await person.client.get("/api/video/history?limit=1"), 200, shape)
    assert page["workflows"] == [failed]
    rest = success(await person.client.get("/api/video/history", params={"cursor": page["nextCursor"]}), 200, shape)
    assert rest == {"workflows": [done], "nextCursor": None}


STATISTICS = {
    "videos": {"total": int, "pending": int, "processing": int, "ready": int, "failed": int},
    "successRate": (int, float, type(None)),
    "failures": dict,
    "processingSeconds": {"median?": (int, float), "p90?": (int, float)},
    "storage": {"bytes": int, "videoSeconds": (int, float)},
}


async def test_statistics_of_somebody_who_has_nothing(world: World) -> None:
    person = await world.person()
    data = success(await person.client.get("/api/video/statistics"), 200, STATISTICS)
    assert data["videos"] == {"total": 0, "pending": 0, "processing": 0, "ready": 0, "failed": 0}
    assert (data["successRate"], data["failures"]) == (None, {})
    assert data["processingSeconds"] == {}
    assert data["storage"] == {"bytes": 0, "videoSeconds": 0}


async def test_statistics_count_what_is_in_the_own_gallery(world: World) -> None:
    ann, ben = await world.person(), await world.person()
    for _ in range(3):
        await ready_video(world, ann)
    await failed_video(world, ann)
    cancelled, deleted, _ = await ann.ask(), await ready_video(world, ann), await ann.ask()
    assert (await ann.client.post(f"/api/video/cancel/{cancelled}")).status_code == 202
    assert (await ann.client.delete(f"/api/video/delete/{deleted}")).status_code == 200
    await ready_video(world, ben)

    data = success(await ann.client.get("/api/video/statistics"), 200, STATISTICS)
    assert data["videos"] == {"total": 6, "pending": 1, "processing": 0, "ready": 3, "failed": 2}
    assert data["failures"] == {"CANCELLED": 1, "WORKFLOW_FAILED": 1}
    assert data["successRate"] == 0.75
    assert 0 < data["processingSeconds"]["median"] <= data["processingSeconds"]["p90"]
    assert data["storage"]["bytes"] == 3 * events.METADATA.size
    assert data["storage"]["videoSeconds"] == pytest.approx(3 * (events.METADATA.duration or 0))
