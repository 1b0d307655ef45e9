"""A producer is upgraded before its consumers: events of a type that these do not know wait for their next version.

Also where that one runs beside the old one for a while, as in every upgrade in turns.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.processes import Child, Program
from deploy.local.stack import LocalStack
from shared.contracts.cloudevents import encode
from tests.conftest import User
from tests.driving import Json, eventually, marker_passed
from tests.e2e.next_version import VideoPraised
from tests.replicas import replica

pytestmark = pytest.mark.timeout(400)

LISTENERS = ("gateway", "notifier")
COUNT = 45
"""Twice as many as make a service stop where its own handlers fail."""


class NewMedia:
    """Says what only the next version knows: that somebody praised a video of this user."""

    def __init__(self, producer: AIOKafkaProducer, user_id: str) -> None:
        self._producer = producer
        self._user_id = user_id

    def praise(self, number: int) -> VideoPraised:
        """Return the event about one video."""
        video_id = f"{self._user_id}_{number}"
        return VideoPraised(id=f"{video_id}:1:praised", video_id=video_id, user_id=self._user_id, attempt=1, by="Ann")

    async def say(self, event: VideoPraised) -> None:
        """Publish it, and have it confirmed."""
        record = encode(event, "media")
        await self._producer.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)


@asynccontextmanager
async def new_media(stack: LocalStack, user: User) -> AsyncIterator[NewMedia]:
    user_id = (await user.client.get("/api/auth/me")).json()["data"]["userId"]
    async with AIOKafkaProducer(bootstrap_servers=stack.url("kafka")) as producer:
        yield NewMedia(producer, user_id)


def next_version(name: str, program: Program) -> Program:
    """Return the same service as its next version."""
    return replace(program, argv=[sys.executable, "-m", "tests.e2e.next_version", name])


@asynccontextmanager
async def upgraded(stack: LocalStack, *names: str) -> AsyncIterator[None]:
    """Have some services run their next version; afterwards they are what they were."""
    before = {name: stack.children[name].program for name in names}
    try:
        for name, program in before.items():
            stack.children[name].program = next_version(name, program)
        await asyncio.gather(*(stack.restart(name) for name in names))
        yield
    finally:
        for name, program in before.items():
            stack.children[name].program = program
        await asyncio.gather(*(stack.restart(name) for name in names))


@asynccontextmanager
async def beside(stack: LocalStack, name: str) -> AsyncIterator[None]:
    """Have the next version of a service run beside the one that is there."""
    program = replica(stack, f"{name}-2")
    child = stack.children[program.name] = Child(next_version(name, program), stack.site.log(program.name))
    try:
        await stack.start(program.name)
        yield
    finally:
        await child.stop()
        del stack.children[program.name]


async def admin(stack: LocalStack, name: str, method: str, path: str, **how: Any) -> Json:
    bearer = {"Authorization": f"Bearer {stack.admin_token}"}
    async with httpx.AsyncClient(base_url=stack.url(name), headers=bearer, timeout=30, trust_env=False) as client:
        answer = (await client.request(method, f"/admin/dead-letters{path}", **how)).raise_for_status()
    data: Json = answer.json()["data"]
    return data


async def letters(stack: LocalStack, name: str) -> list[Json]:
    """Return what is open of the new type."""
    found = await admin(stack, name, "GET", "", params={"type": "VideoPraised", "limit": 1000})
    kept: list[Json] = found["deadLetters"]
    return kept


async def redriven(stack: LocalStack, name: str) -> list[Json]:
    """Send back what is open of the new type, and return it."""
    answer = await admin(stack, name, "POST", "/redrive", json={"type": "VideoPraised"})
    sent_back: list[Json] = answer["deadLetters"]
    return sent_back


async def praises(user: User) -> list[str]:
    answer = await user.client.get("/api/notifications", params={"limit": 200})
    notes = answer.json()["data"]["notifications"]
    return sorted(note["videoId"] for note in notes if note["type"] == "praise")


async def test_events_of_an_unknown_type_wait_for_the_version_that_knows_it(user: User, stack: LocalStack) -> None:
    async with new_media(stack, user) as media:
        events = [media.praise(number) for number in range(COUNT)]
        for event in events:
            await media.say(event)
        for name in LISTENERS:
            kept = await eventually(lambda name=name: _all_kept(stack, name), f"{name} sets them aside")  # type: ignore[misc]
            assert {letter["reason"] for letter in kept} == {"unknown_type"}
        await marker_passed(user)  # the old version goes on with what it knows, on the same partitions
        assert await praises(user) == []

        whole = await admin(stack, "notifier", "GET", f"/{kept[0]['id']}")
        assert whole["body"].encode() in {encode(event, "media").value for event in events}

        async with upgraded(stack, *LISTENERS):
            for name in LISTENERS:
                assert len(await redriven(stack, name)) == COUNT
            wanted = sorted(event.video_id for event in events)
            await eventually(lambda: _told(user, wanted), "all are told", 90)
            for event in events[:3]:  # as a producer repeats them
                await media.say(event)
            await marker_passed(user)
            assert await praises(user) == wanted
            for name in LISTENERS:
                assert await letters(stack, name) == []


async def test_two_versions_side_by_side_tell_everything_once_or_keep_it(user: User, stack: LocalStack) -> None:
    said: list[VideoPraised] = []
    async with new_media(stack, user) as media, beside(stack, "notifier"):

        async def both_had_some() -> bool:
            said.append(media.praise(len(said)))
            await media.say(said[-1])
            return bool(await praises(user)) and bool(await letters(stack, "notifier"))

        await eventually(both_had_some, "the new one tells of some, the old one sets some aside", 90)
        await eventually(lambda: _none_lost(user, stack, said), "each is told or kept")
        before = await praises(user)
        assert await redriven(stack, "notifier")  # to either of them
        await eventually(lambda: _none_lost(user, stack, said), "each is told or kept again")
        assert set(before) <= set(await praises(user))

        async with upgraded(stack, *LISTENERS):
            for name in LISTENERS:
                await redriven(stack, name)
            wanted = sorted(event.video_id for event in said)
            await eventually(lambda: _told(user, wanted), "all are told, once", 90)
            for name in LISTENERS:
                await eventually(lambda name=name: _none_kept(stack, name), f"{name} keeps none")  # type: ignore[misc]


async def _all_kept(stack: LocalStack, name: str) -> list[Json] | None:
    kept = await letters(stack, name)
    return kept if len(kept) == COUNT else None


async def _told(user: User, wanted: list[str]) -> bool:
    return await praises(user) == wanted


async def _none_lost(user: User, stack: LocalStack, said: list[VideoPraised]) -> bool:
    kept = {letter["key"] for letter in await letters(stack, "notifier")}
    return {event.video_id for event in said} <= kept | set(await praises(user))


async def _none_kept(stack: LocalStack, name: str) -> bool:
    return await letters(stack, name) == []
