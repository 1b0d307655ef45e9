"""`/api/notifications`, passed through to the notifier: nothing held back, and whoever goes takes the other along."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from shared.access.access_tokens import COOKIE
from tests.integration.eyes import CUT_OFF
from tests.integration.gateway.stand_in_notifier import HISTORY, Asked, StandInNotifier
from tests.integration.gateway.world import ENGINES, STORAGE, Person, World, world_of
from tests.waiting import until

MOST = 3
STREAM = "/api/notifications/stream"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stream_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    overrides = {"gateway": {**STORAGE, "STREAMS_PER_USER": str(MOST)}}
    folder = tmp_path_factory.mktemp("streams")
    async with LocalStack(folder, services=("gateway",), engines=ENGINES, overrides=overrides) as stack:
        yield stack


@pytest.fixture
async def world(stream_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(stream_stack) as world:
        yield world


@pytest.fixture
async def notifier(stream_stack: LocalStack) -> AsyncIterator[StandInNotifier]:
    async with StandInNotifier().running(stream_stack.site.ports["notifier"]) as notifier:
        yield notifier


class Listener:
    """An open stream, read as far as one asks."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_raw()

    async def next(self) -> str:
        async with asyncio.timeout(5):
            return (await anext(self._chunks)).decode()

    async def ended(self) -> None:
        async with asyncio.timeout(10):
            async for _ in self._chunks:
                continue


async def listen(person: Person, path: str = STREAM, **headers: str) -> Listener:
    request = person.client.build_request("GET", path, headers=headers, timeout=httpx.Timeout(10, read=None))
    response = await person.client.send(request, stream=True)
    return Listener(response)


async def newest(notifier: StandInNotifier, count: int = 1) -> Asked:
    await until(lambda: len(notifier.asked) >= count)
    return notifier.asked[-1]


async def test_history_is_the_notifiers_own_answer(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    answer = await person.client.get("/api/notifications?cursor=abc&limit=5")
    assert (answer.status_code, answer.content) == (200, HISTORY)
    asked = await newest(notifier)
    assert asked.target == "/api/notifications?cursor=abc&limit=5"
    assert asked.headers["authorization"] == f"Bearer {person.token}"
    assert "traceparent" in asked.headers


async def test_the_cookie_of_a_browser_becomes_a_bearer_token(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    browser = world.client(cookies={COOKIE: person.token})
    await browser.get("/api/notifications")
    asked = await newest(notifier)
    assert asked.headers["authorization"] == f"Bearer {person.token}"
    assert "cookie" not in asked.headers


async def test_a_stream_comes_as_it_is_said(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    listener = await listen(person, **{"Last-Event-ID": "41"})
    asked = await newest(notifier)
    assert listener.response.status_code == 200
    assert listener.response.headers["content-type"].startswith("text/event-stream")
    assert listener.response.headers["cache-control"] == "no-store"
    assert "content-length" not in listener.response.headers
    assert asked.headers["last-event-id"] == "41"
    for text in (": heartbeat\n\n", 'id: 42\nevent: video-download-update\ndata: {"type":"download"}\n\n', "retry: 1"):
        await asked.say(text)
        assert await listener.next() == text
    await listener.response.aclose()


async def test_a_listener_who_goes_is_gone_at_the_notifier(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    listener = await listen(person)
    asked = await newest(notifier)
    await listener.response.aclose()
    async with asyncio.timeout(5):
        await asked.gone.wait()


async def test_a_notifier_that_goes_ends_the_stream(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    listener = await listen(person)
    await (await newest(notifier)).hang_up()
    await listener.ended()


async def test_so_many_streams_and_no_more(world: World, notifier: StandInNotifier) -> None:
    ann, ben = await world.person(), await world.person()
    listeners = [await listen(ann) for _ in range(MOST)]
    refused = await ann.client.get(STREAM)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TOO_MANY_STREAMS")
    assert "retry-after" in refused.headers
    others = await listen(ben)
    assert others.response.status_code == 200
    await listeners[0].response.aclose()

    async def there_is_room() -> bool:
        listener = await listen(ann)
        status = listener.response.status_code
        await listener.response.aclose()
        return status == 200

    await until(there_is_room)
    for listener in (*listeners[1:], others):
        await listener.response.aclose()


async def test_what_the_notifier_refuses_is_passed_on(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    notifier.mode = "refuse"
    for path in ("/api/notifications", STREAM):
        answer = await person.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "TOO_MANY")
        assert answer.headers["retry-after"] == "7"


async def test_what_is_no_answer_is_a_502(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    notifier.mode = "garbage"
    for path in ("/api/notifications", STREAM):
        answer = await person.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "NOTIFIER_BROKEN")


async def test_notifier_away(world: World) -> None:
    person = await world.person()
    for path in ("/api/notifications", STREAM):
        answer = await person.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "NOTIFIER_AWAY")
        assert answer.json()["success"] is False
        assert int(answer.headers["retry-after"]) > 0
    assert (await world.client().get("/health/ready")).status_code == 200


async def test_nobody_listens_without_logging_in(world: World, notifier: StandInNotifier) -> None:
    for path in ("/api/notifications", STREAM):
        assert (await world.client().get(path)).status_code == 401
    assert notifier.asked == []


async def test_a_stop_ends_open_streams(world: World, notifier: StandInNotifier) -> None:
    person = await world.person()
    listener = await listen(person)
    await newest(notifier)
    child = world.stack.children["gateway"]
    stopping = asyncio.create_task(child.stop())
    await listener.ended()
    assert await stopping, "an open stream held up the stop"
    assert child.exit_code() == 0
    assert CUT_OFF not in world.stack.site.log("gateway").read_text()
    await world.stack.start("gateway")
    assert json.loads((await person.client.get("/api/notifications")).content)["success"]


@pytest.mark.parametrize(("said", "asked"), [(b"\xb2", "?"), (b"41 \t", "41"), (b" 41", "41")])
async def test_a_last_id_reaches_the_notifier_as_something_it_can_answer(
    world: World, notifier: StandInNotifier, said: bytes, asked: str
) -> None:
    person = await world.person()
    target = httpx.URL(person.client.base_url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    head = [f"GET /api/notifications/stream HTTP/1.1\r\nHost: {target.host}\r\n".encode(), _token(person)]
    writer.write(b"".join([*head, b"Last-Event-ID: ", said, b"\r\n\r\n"]))
    async with asyncio.timeout(10):
        assert b" 200 " in await reader.readline()
    assert (await newest(notifier)).headers["last-event-id"] == asked
    writer.close()


def _token(person: Person) -> bytes:
    return f"Authorization: {person.client.headers['authorization']}\r\n".encode()
