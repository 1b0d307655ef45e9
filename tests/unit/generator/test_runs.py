"""Asking n8n whether a run is over: only a clear yes counts."""

import json
from datetime import timedelta

import httpx
import pytest

from services.generator.runs import Runs
from tests.unit.generator.test_n8n import free_port, server


async def over(url: str, execution_id: str = "17") -> bool:
    async with Runs({"create": "http://127.0.0.1:1", "generate": url}, "key", timedelta(seconds=1)) as runs:
        return await runs.is_over("generate", execution_id)


def told(code: int = 200, /, **fields: object) -> bytes:
    body = json.dumps(fields).encode()
    return f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("status", ["success", "error", "crashed", "canceled"])
async def test_over(status: str) -> None:
    async with server(told(id="17", status=status)) as address:
        assert await over(f"http://{address}/api/v1")


@pytest.mark.parametrize(
    "answer",
    [
        told(id="17", status="running"),
        told(id="17", status="waiting"),
        told(id="17", status="new"),
        told(id="17", status="something new"),
        told(id="18", status="error"),
        told(id="17"),
        told(404, message="Not Found"),
        told(401, message="unauthorized"),
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"garbage\r\n\r\n",
    ],
)
async def test_not_certainly_over(answer: bytes) -> None:
    async with server(answer) as address:
        assert not await over(f"http://{address}/api/v1")


async def test_nobody_to_ask() -> None:
    assert not await over(f"http://127.0.0.1:{free_port()}")


async def test_the_id_can_not_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.URL] = []

    async def answer(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(404)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    assert not await over("http://n8n.example.com/api/v1", "../../rest/login?x=1")
    assert asked[0].raw_path == b"/api/v1/executions/..%2F..%2Frest%2Flogin%3Fx%3D1"
