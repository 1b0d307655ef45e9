"""Runs nobody wants, named by nobody and found nowhere: looked for only so long, but stopped whenever they show."""

import pytest

from shared.contracts.events import WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import DEFAULT, Run
from tests.integration.generator.test_stopping import End, cancel, counted, delete, no_stop_left, stops
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

world = world_with({"N8N_API_KEY": "key", "WORKFLOW_STOP_WITHIN": "3"})


@pytest.mark.parametrize("end", [cancel, delete])
async def test_one_is_looked_for_only_so_long_and_stopped_when_its_id_becomes_known(world: World, end: End) -> None:
    event = await world.request(DEFAULT)
    await world.event(WorkflowStarted, event.video_id)
    before = await stops(world, "over")
    await end(world, event)
    document = await world.state(event.video_id, "cancelled", "deleted")
    assert document["job"]["kind"] == "stop"
    looked_for = {"_id": document["_id"], "job": None}
    await eventually(lambda: world.database["workflows"].find_one(looked_for), "the end of the search")
    await counted(world, "over", before + 1)

    execution_id = f"605{end.__name__}"
    world.n8n.runs[execution_id] = Run(call=world.n8n.calls[event.video_id][0])
    await world.report_progress(event.video_id, 20, execution_id)
    await no_stop_left(world, event)
    assert world.n8n.runs[execution_id].status == "canceled"
