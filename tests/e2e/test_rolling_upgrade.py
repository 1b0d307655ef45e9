"""A producer is upgraded before its consumers: events of a type that these do not know wait for their next version."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.stack import LocalStack
from shared.contracts.cloudevents import encode
from tests.conftest import User
from tests.driving import Json, eventually, marker_passed
from tests.e2e.next_version import VideoPraised

pytestmark = pytest.mark.timeout(400)

LISTENERS = ("gateway", "notifier")
COUNT = 45
"""Twice as many as make a service stop where its own handlers fail."""


@asynccontextmanager
async def producer(stack: LocalStack) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=stack.url("kafka")) as producer:
        yield producer


@asynccontextmanager
async def upgraded(stack: LocalStack, *names: str) -> AsyncIterator[None]:
    """Have some services run their next version; afterwards they are what they were."""
    before = {name: stack.children[name].program for name in names}
    try:
        for name, program in before.items():
            argv = [sys.executable, "-m", "tests.e2e.next_version", name]
            stack.children[name].program = replace(program, argv=argv)
        await asyncio.gather(*(stack.restart(name) for name in names))
        yield
    finally:
        for name, program in before.items():
            stack.children[name].program = program
        await asyncio.gather(*(stack.restart(name) for name in names))


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


async def praises(user: User) -> list[str]:
    answer = await user.client.get("/api/notifications", params={"limit": 200})
    notes = answer.json()["data"]["notifications"]
    return sorted(note["videoId"] for note in notes if note["type"] == "praise")


async def test_events_of_an_unknown_type_wait_for_the_version_that_knows_it(user: User, stack: LocalStack) -> None:
    user_id = (await user.client.get("/api/auth/me")).json()["data"]["userId"]
    events = [
        VideoPraised(id=f"{user_id}_{n}:1:praised", video_id=f"{user_id}_{n}", user_id=user_id, attempt=1, by="Ann")
        for n in range(COUNT)
    ]
    records = [encode(event, "media") for event in events]
    async with producer(stack) as new_media:
        for record in records:
            await new_media.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)
        for name in LISTENERS:
            kept = await eventually(lambda name=name: _all_kept(stack, name), f"{name} sets them aside")  # type: ignore[misc]
            assert {letter["reason"] for letter in kept} == {"unknown_type"}
        await marker_passed(user)  # the old version goes on with what it knows, on the same partitions
        assert await praises(user) == []

        whole = await admin(stack, "notifier", "GET", f"/{kept[0]['id']}")
        assert whole["body"].encode() in {record.value for record in records}

        async with upgraded(stack, *LISTENERS):
            for name in LISTENERS:
                sent_back = await admin(stack, name, "POST", "/redrive", json={"type": "VideoPraised"})
                assert len(sent_back["deadLetters"]) == COUNT
            wanted = sorted(event.video_id for event in events)
            await eventually(lambda: _told(user, wanted), "all are told", 90)
            for record in records[:3]:  # as a producer repeats them
                await new_media.send_and_wait(record.topic, record.value, record.key, headers=record.all_headers)
            await marker_passed(user)
            assert await praises(user) == wanted
            for name in LISTENERS:
                assert await letters(stack, name) == []


async def _all_kept(stack: LocalStack, name: str) -> list[Json] | None:
    kept = await letters(stack, name)
    return kept if len(kept) == COUNT else None


async def _told(user: User, wanted: list[str]) -> bool:
    return await praises(user) == wanted
