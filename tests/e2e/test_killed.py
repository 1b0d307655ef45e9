"""A service killed with -9 at any moment: the job goes on, nothing happens twice."""

import pytest

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import (
    Json,
    ask,
    eventually,
    listening,
    wait_for_stage,
    wait_for_status,
)
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)

ENDS = ("complete", "error")


@pytest.mark.parametrize("stage", ["queued", "rendering", "transferring"])
@pytest.mark.parametrize("name", ["gateway", "generator", "media", "notifier"])
async def test_a_service_killed_at_any_moment_goes_on_and_nothing_happens_twice(
    user: User, stack: LocalStack, engine: Engine, name: str, stage: str
) -> None:
    title = f"Kill {name} while {stage}"
    await engine.fault(title, {"kind": "file-slow", "bytesPerSecond": 200_000})
    video_id = await ask(user.client, title)
    if stage != "queued":
        await wait_for_stage(user.client, video_id, stage, "ready")
    await stack.kill(name)
    await stack.start(name)
    await wait_for_status(user.client, video_id, "ready", 90)
    assert len(await engine.executions(video_id)) == 1

    async def told() -> list[Json] | None:
        notes = (await user.client.get("/api/notifications")).json()["data"]["notifications"]
        return [note for note in notes if note["videoId"] == video_id and note["type"] in ENDS] or None

    assert [note["type"] for note in await eventually(told, "the end is notified")] == ["complete"]


async def test_a_stream_resumes_after_its_notifier_was_killed(user: User, stack: LocalStack) -> None:
    async with listening(user.client) as stream:
        first = await ask(user.client, "Before the kill")
        await stream.wait_for(first, "complete")
        last_seen = stream.seen[-1][1]
    await stack.kill("notifier")
    second = await ask(user.client, "During the kill")
    await stack.start("notifier")
    async with listening(user.client, last_seen) as stream:
        await stream.wait_for(second, "complete", 90)
        ids = [
            int(event_id) for name, event_id, data in stream.seen if name == "video-download-update" and "seq" in data
        ]
        assert ids == list(range(int(last_seen) + 1, int(last_seen) + 1 + len(ids)))
