"""kill -9 and other bad days: every job goes on, and no attempt is called twice."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.ports import free_ports
from deploy.local.processes import Child
from deploy.local.services import service
from shared.contracts.events import WorkflowCompleted, WorkflowFailed, WorkflowStarted
from tests.driving import eventually
from tests.integration.generator.conftest import world_with
from tests.integration.generator.scripted_n8n import NOT_REGISTERED, one_after_another, silence, started
from tests.integration.generator.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


world = world_with({"WORKFLOW_ANSWER_TIMEOUT": "15"})
PATIENT = {"WORKFLOW_ANSWER_TIMEOUT": "60", "KAFKA_SESSION_TIMEOUT": "6"}  # as it is for services on a real Kafka


@contextlib.asynccontextmanager
async def another_generator(world: World, name: str) -> AsyncIterator[Child]:
    """One more process of the same service, beside the stack's."""
    site = world.stack.site
    port = free_ports(["generator"])["generator"]
    program = service(dataclasses.replace(site, ports={**site.ports, "generator": port}), "generator")
    child = Child(program, site.log(name))
    child.start({**world.stack.settings("generator"), "GENERATOR_PORT": str(port)})
    try:
        await child.wait_ready(60)
        yield child
    finally:
        if child.pid is not None:
            await child.stop()


async def _is_stopping(world: World) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{world.stack.url('generator')}/health/ready")).status_code == 503
        except httpx.TransportError:
            return True


async def test_killed_between_the_call_and_its_record(world: World) -> None:
    event = await world.request(silence)
    await world.called(event.video_id)
    assert (await world.document(event.video_id))["state"] == "calling"
    await world.stack.kill("generator")
    world.n8n.script[event.video_id] = started("again!")
    await world.stack.start("generator")
    told = await world.event(WorkflowStarted, event.video_id)
    assert told.certain is False
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id)
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_killed_while_waiting_to_call_again(world: World) -> None:
    event = await world.request(NOT_REGISTERED)
    await world.called(event.video_id, 2)
    await world.state(event.video_id, "requested")
    await world.stack.kill("generator")
    was_calling = (await world.document(event.video_id))["state"] == "calling"
    world.n8n.script[event.video_id] = started("301")
    await world.stack.start("generator")
    assert (await world.event(WorkflowStarted, event.video_id)).certain is not was_calling


async def test_killed_with_events_still_in_the_outbox(world: World) -> None:
    async def answer_without_kafka(writer: asyncio.StreamWriter, number: int) -> None:
        world.stack.pause("kafka")
        await started("302")(writer, number)

    event = await world.request(answer_without_kafka)
    try:
        document = await world.state(event.video_id, "started")
        assert document["outbox"]
        await world.stack.kill("generator")
    finally:
        world.stack.resume("kafka")
    await world.stack.start("generator")
    assert (await world.event(WorkflowStarted, event.video_id)).execution_id == "302"
    assert len(world.n8n.calls[event.video_id]) == 1


async def test_stopped_gently_a_call_under_way_is_finished(world: World) -> None:
    async def slow(writer: asyncio.StreamWriter, number: int) -> None:
        await answered.wait()
        await started("303")(writer, number)

    answered = asyncio.Event()
    event = await world.request(slow)
    await world.called(event.video_id)
    stopping = asyncio.create_task(world.stack.stop("generator"))
    await eventually(lambda: _is_stopping(world), "the stop to begin")
    answered.set()
    await stopping
    assert world.stack.children["generator"].exit_code() == 0
    assert (await world.document(event.video_id))["state"] == "started"
    await world.stack.start("generator")


@pytest.mark.timeout(240)
async def test_a_frozen_broker_and_a_call_under_way_do_not_hold_up_a_stop(world: World) -> None:
    """Each part took its own time to stop, one after the other: together longer than anybody waits."""

    async def answer_without_kafka(writer: asyncio.StreamWriter, number: int) -> None:
        world.stack.pause("kafka")
        await started("304")(writer, number)

    usual = {name: world.stack.settings("generator")[name] for name in PATIENT}
    await world.stack.restart("generator", PATIENT)
    held_back = await world.request(silence)
    await world.called(held_back.video_id)
    answered = await world.request(answer_without_kafka)
    try:
        await world.state(answered.video_id, "started")
        await world.stack.stop("generator")
        assert world.stack.children["generator"].exit_code() == 0, "it was killed"
    finally:
        world.stack.resume("kafka")
        await world.stack.start("generator", usual)
    assert (await world.event(WorkflowStarted, held_back.video_id, seconds=60)).certain is False


async def test_database_away_while_the_engine_answers(world: World) -> None:
    event = await world.request(one_after_another(NOT_REGISTERED, silence))
    await world.called(event.video_id, 2)
    await world.stack.kill("generator-db")
    await world.stack.start("generator-db")
    await world.complete(event.video_id)
    await world.event(WorkflowCompleted, event.video_id, seconds=40)
    assert len(world.n8n.calls[event.video_id]) == 2


async def test_two_generators_call_once_per_attempt(world: World) -> None:
    async with another_generator(world, "generator-2") as other, another_generator(world, "generator-3") as third:
        events = [await world.request(started(f"s{number}")) for number in range(60)]
        await world.called(events[10].video_id)
        await other.kill()
        await third.stop()
        certain = {e.video_id: (await world.event(WorkflowStarted, e.video_id, seconds=60)).certain for e in events}
        for event in events:
            await world.complete(event.video_id)
        for event in events:
            await world.event(WorkflowCompleted, event.video_id, seconds=60)
    calls = {event.video_id: len(world.n8n.calls[event.video_id]) for event in events}
    assert max(calls.values()) == 1
    assert not [video_id for video_id in calls if certain[video_id] and calls[video_id] != 1]
    assert sum(certain.values()) >= len(events) - 8  # at most what the killed one had in hand
    assert not [e for e in world.published if isinstance(e, WorkflowFailed)]


async def test_a_frozen_worker_that_wakes_changes_nothing_and_calls_nobody(world: World) -> None:
    """Frozen in the middle of its call for longer than its lease: another worker has concluded by then."""

    async def answer_when_told(writer: asyncio.StreamWriter, number: int) -> None:
        await go_on.wait()
        await started("310")(writer, number)

    go_on = asyncio.Event()
    event = await world.request(answer_when_told)
    await world.called(event.video_id)
    world.stack.pause("generator")
    try:
        async with another_generator(world, "generator-4"):
            told = await world.event(WorkflowStarted, event.video_id)
            assert told.certain is False
            go_on.set()
            world.stack.resume("generator")
            await world.requests_handled(event.video_id)
            assert (await world.document(event.video_id))["state"] == "unknown"
            await world.complete(event.video_id)
            await world.event(WorkflowCompleted, event.video_id)
    finally:
        world.stack.resume("generator")
    assert world.told(event.video_id) == ["WorkflowStarted", "WorkflowCompleted"]
    assert len(world.n8n.calls[event.video_id]) == 1
