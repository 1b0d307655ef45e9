"""Asking n8n's API: a clear answer is one of its shape, about the execution that was asked about."""

import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.generator.attempt import Kind
from services.generator.runs import MOST_BYTES, NotToldError, Runs, Stop, TooMuchError
from tests.unit.generator.n8n_answers import MIGRATING, no_route
from tests.unit.generator.test_n8n import free_port, server

Ask = Callable[[Runs], Awaitable[object]]


async def asked(url: str, ask: Ask) -> object:
    apis: dict[Kind, str] = {"create": "http://127.0.0.1:1", "generate": url}
    async with contextlib.aclosing(Runs(apis, "key", timedelta(seconds=1))) as runs:
        return await ask(runs)


async def status_of(url: str) -> str | None:
    async def ask(runs: Runs) -> object:
        execution = await runs.look("generate", "17")
        return execution.status if execution else None

    found = await asked(url, ask)
    assert found is None or isinstance(found, str)
    return found


def told(code: int = 200, /, date: str = "", **fields: object) -> bytes:
    body = json.dumps(fields).encode()
    dated = f"date: {date}\r\n" if date else ""
    return f"HTTP/1.1 {code} X\r\n{dated}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("status", ["success", "error", "running", "something new"])
async def test_an_execution(status: str) -> None:
    async with server(told(id="17", status=status)) as address:
        assert await status_of(f"http://{address}/api/v1") == status


async def test_old_ids_are_numbers() -> None:
    async with server(told(id=17, status="success")) as address:
        assert await status_of(f"http://{address}/api/v1") == "success"


async def test_none_is_there() -> None:
    async with server(told(404, message="Not Found")) as address:
        assert await status_of(f"http://{address}/api/v1") is None


@pytest.mark.parametrize(
    "answer",
    [
        told(id="18", status="error"),
        told(id="17"),
        told(id="17", status=None),
        told(id="17", status="success", data="[]"),
        told(id="17", status="success", startedAt="soon"),
        told(id=True, status="success"),
        told(404),
        told(404, message=["Not Found"]),
        b"HTTP/1.1 404 X\r\n\r\n<html>Not Found",
        told(401, message="unauthorized"),
        told(403, message="Forbidden"),
        told(500, message="Not Found"),
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"garbage\r\n\r\n",
    ],
)
async def test_no_clear_answer(answer: bytes) -> None:
    async with server(answer) as address:
        with pytest.raises(NotToldError):
            await status_of(f"http://{address}/api/v1")


async def test_more_than_is_read() -> None:
    async with server(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MOST_BYTES + 1)) as address:
        with pytest.raises(TooMuchError):
            await status_of(f"http://{address}/api/v1")


async def test_nobody_to_ask_is_not_asked_again_at_once() -> None:
    async def twice(runs: Runs) -> object:
        reasons = []
        for _ in range(2):
            with pytest.raises(NotToldError) as caught:
                await runs.look("generate", "17")
            reasons.append(str(caught.value))
        return reasons

    assert await asked(f"http://127.0.0.1:{free_port()}", twice) == ["ConnectError", "it did not answer a moment ago"]


async def test_a_page() -> None:
    shown = told(date="Fri, 02 Jan 2026 03:04:05 GMT", data=[{"id": "2", "status": "error"}], nextCursor="next")
    async with server(shown) as address:
        page = await asked(f"http://{address}/api/v1", lambda runs: runs.page("generate"))
    assert [one.id for one in page.executions] == ["2"]  # type: ignore[attr-defined]
    assert page.next_cursor == "next"  # type: ignore[attr-defined]
    assert page.told_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [told(data={}), told(data=[{"id": "2"}]), told(data=[], nextCursor="x" * 2_000)])
async def test_no_page(answer: bytes) -> None:
    async with server(answer) as address:
        with pytest.raises(NotToldError):
            await asked(f"http://{address}/api/v1", lambda runs: runs.page("generate"))


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (told(200, status="canceled"), Stop.STOPPED),
        (told(409, message="x"), Stop.OVER),
        (told(500, message="Only running or waiting executions can be stopped and 7 is currently error"), Stop.OVER),
        (told(404, message="Failed to find execution to stop"), Stop.OVER),
        (told(404, message="not found"), Stop.IMPOSSIBLE),
        (told(405), Stop.IMPOSSIBLE),
        (told(401), Stop.IMPOSSIBLE),
        (told(403), Stop.IMPOSSIBLE),
        (told(500, message="boom"), None),
        (told(503), None),
        (told(302), None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + MIGRATING, None),
        (b"HTTP/1.1 404 No\r\n\r\n" + no_route("/api/v1/executions/7/stop"), None),
        (b"HTTP/1.1 404 No\r\n\r\n" + no_route("/elsewhere"), Stop.IMPOSSIBLE),
    ],
)
async def test_what_comes_of_a_stop(answer: bytes, came: Stop | None) -> None:
    async with server(answer) as address:
        asking = asked(f"http://{address}/api/v1", lambda runs: runs.stop("generate", "7"))
        if came is None:
            with pytest.raises(NotToldError):
                await asking
        else:
            assert await asking is came


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    made: list[httpx.Request] = []

    async def answer(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        made.append(request)
        return httpx.Response(404, stream=httpx.ByteStream(b'{"message": "Not Found"}'))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    return made


async def test_the_id_can_not_lead_elsewhere(requests: list[httpx.Request]) -> None:
    url = "http://n8n.example.com/api/v1"
    await asked(url, lambda runs: runs.look("generate", "../../rest/login?x=1", with_data=True))
    await asked(url, lambda runs: runs.stop("generate", "../7"))
    with pytest.raises(NotToldError):
        await asked(url, lambda runs: runs.stop("generate", ".."))
    assert [request.url.raw_path for request in requests] == [
        b"/api/v1/executions/..%2F..%2Frest%2Flogin%3Fx%3D1?includeData=true",
        b"/api/v1/executions/..%2F7/stop",
    ]
    assert {request.headers["x-n8n-api-key"] for request in requests} == {"key"}
