"""The catalog: imported at the first start, changed by a command, announced anew at every start."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.site import REPOSITORY
from shared.contracts.events import AvatarChanged, CatalogEvent, CatalogItemRemoved, VoiceChanged, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import started
from tests.integration.generator.world import FIELDS, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHIPPED: dict[str, list[dict[str, Any]]] = json.loads(
    (REPOSITORY / "services/generator/data/catalog.json").read_text(encoding="utf-8")
)
SIZE = sum(len(items) for items in SHIPPED.values())


world = world_with()


async def command(world: World, file: Path, *options: str) -> tuple[int | None, str]:
    """Run the import as an operator does; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.generator.catalog", str(file), *options),
        cwd=REPOSITORY,
        env=world.stack.settings("generator"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def announced(world: World, count: int) -> list[CatalogEvent]:
    """Return the newest event of each item, once there are that many."""

    async def look() -> list[CatalogEvent] | None:
        newest = {event.key(): event for event in world.published if isinstance(event, CatalogEvent)}
        return list(newest.values()) if len(newest) >= count else None

    return await eventually(look, f"{count} catalog events")


async def test_the_first_start_imports_and_announces_it(world: World) -> None:
    events = await announced(world, SIZE)
    avatars = {event.avatar_id: event.gender for event in events if isinstance(event, AvatarChanged)}
    assert avatars == {avatar["avatar_id"]: avatar["gender"] for avatar in SHIPPED["avatars"]}


async def test_an_unchanged_file_changes_nothing(world: World, tmp_path: Path) -> None:
    file = tmp_path / "same.json"
    file.write_text(json.dumps(SHIPPED))
    code, output = await command(world, file, "--prune")
    assert (code, output) == (0, f"{file}: 0 added, 0 changed, {SIZE} unchanged, 0 removed.\n")
    assert {d["version"] for d in await world.database["catalog"].find({"kind": "voice"}).to_list()} == {1}


async def test_changes_reach_others_and_the_next_call(world: World, tmp_path: Path) -> None:
    world.published.clear()
    file = tmp_path / "smaller.json"
    voices = [{"voice_id": "voice-new", "name": "New", "gender": "female"}]
    avatars = [{**SHIPPED["avatars"][0], "name": "Amara O."}]
    file.write_text(json.dumps({"avatars": avatars, "voices": voices, "topics": SHIPPED["topics"]}))
    code, output = await command(world, file, "--prune")
    gone = len(SHIPPED["avatars"]) - 1 + len(SHIPPED["voices"])
    assert (code, output) == (0, f"{file}: 1 added, 1 changed, {len(SHIPPED['topics'])} unchanged, {gone} removed.\n")
    events = await announced(world, gone + 2)
    assert sum(isinstance(event, CatalogItemRemoved) for event in events) == gone
    assert [(event.name, event.id) for event in events if isinstance(event, AvatarChanged)] == [
        ("Amara O.", "avatar:amara-okafor:2:changed")
    ]
    assert [event.voice_id for event in events if isinstance(event, VoiceChanged)] == ["voice-new"]
    known = await world.request(started("401"))
    removed = await world.request(started("402"), fields={**FIELDS, "avatar_title": "ben-whitaker"})
    assert (await world.called(known.video_id))[0].body["voice_id"] == "voice-new"
    assert "voice_id" not in (await world.called(removed.video_id))[0].body


async def test_every_start_announces_all_of_it(world: World) -> None:
    world.published.clear()
    await world.stack.restart("generator")
    events = await announced(world, SIZE + 1)
    assert any(isinstance(event, CatalogItemRemoved) for event in events)
    assert {event.id for event in events if isinstance(event, AvatarChanged)} == {"avatar:amara-okafor:2:changed"}


async def test_what_was_removed_can_come_back(world: World, tmp_path: Path) -> None:
    file = tmp_path / "back.json"
    file.write_text(json.dumps(SHIPPED))
    world.published.clear()
    code, output = await command(world, file)
    assert code == 0
    assert f"{len(SHIPPED['avatars']) + len(SHIPPED['voices'])} changed" in output
    await announced(world, len(SHIPPED["avatars"]) + len(SHIPPED["voices"]))


async def test_a_file_that_can_not_be_used_changes_nothing(world: World, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text(json.dumps({**SHIPPED, "voices": [{"voice_id": "v"}]}))
    code, output = await command(world, file, "--prune")
    assert code == 1
    assert "voices.0.gender (v): field required" in output


async def test_health_metrics_and_asyncapi(world: World) -> None:
    event = await world.request(started("403"))
    await world.event(WorkflowStarted, event.video_id)
    async with httpx.AsyncClient(base_url=world.stack.url("generator")) as client:
        ready = (await client.get("/health/ready")).raise_for_status().json()
        assert ready["dependencies"].keys() == {"database", "preparation", "kafka", "handlers"}
        metrics = (await client.get("/metrics")).raise_for_status().text
        assert 'reelway_dispatches_total{outcome="taken",workflow="generate"}' in metrics
        document = (await client.get("/asyncapi.json")).raise_for_status().json()
    assert document["asyncapi"].startswith("3.")
    assert {"WorkflowStarted", "WorkflowCompleted", "VideoRequested"} <= set(document["components"]["schemas"])
