"""What nobody answers for shows in the gauges: a video by its stage, a webhook by its age."""

from datetime import timedelta

from services.gateway.census import Census
from services.gateway.store.tally import Tally
from services.gateway.store.unjudged import Unjudged
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics
from tests.integration.gateway.world import World

HOUR = timedelta(hours=1)


async def test_what_waits_longest_for_an_answer_is_measured(world: World) -> None:
    person, metrics = await world.person(), Metrics()
    videos, receipts = world.database["videos"], world.database["receipts"]
    census = Census(Tally(videos), Unjudged(receipts), metrics)

    async def waits(name: str, **labels: str) -> float:
        await census.count()
        return metrics.registry.get_sample_value(f"reelway_{name}", labels) or 0.0

    asked, reported = await person.ask(), await person.ask()
    webhook = await world.post_webhook("video-complete", {"videoId": reported, "status": "failed", "error": "x"})
    receipt = webhook.json()["data"]["receiptId"]
    assert 0 < await waits("video_stage_oldest_seconds", stage="queued") < HOUR.total_seconds()
    assert 0 < await waits("callback_unjudged_oldest_seconds") < HOUR.total_seconds()
    await videos.update_one({"_id": asked}, {"$set": {"updatedAt": utc_now() - 2 * HOUR}})
    await receipts.update_one({"_id": receipt}, {"$set": {"receivedAt": utc_now() - 2 * HOUR}})
    assert await waits("video_stage_oldest_seconds", stage="queued") > HOUR.total_seconds()
    assert await waits("callback_unjudged_oldest_seconds") > HOUR.total_seconds()
    assert (await person.client.post(f"/api/video/cancel/{asked}")).status_code == 202
    await receipts.update_one({"_id": receipt}, {"$set": {"outcome": "applied"}})
    assert await waits("video_stage_oldest_seconds", stage="queued") < HOUR.total_seconds()
    assert await waits("callback_unjudged_oldest_seconds") < HOUR.total_seconds()
