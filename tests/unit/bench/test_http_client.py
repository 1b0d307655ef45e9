import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.bench.figures import BrokenRun
from tests.bench.http_client import Answer, Connection, EventStream, event_data, request_bytes

KIND = b"event: video-download-update"


def test_an_event_of_the_kind_gives_its_data() -> None:
    assert event_data(b'id: 3\nevent: video-download-update\ndata: {"seq":3}', KIND) == {"seq": 3}


@pytest.mark.parametrize("frame", [b":", b"retry: 2000", b'event: ready\ndata: {"seq":3}', b""])
def test_comments_hints_and_other_events_are_passed_over(frame: bytes) -> None:
    assert event_data(frame, KIND) is None


def test_an_event_that_is_no_object_breaks_the_run() -> None:
    with pytest.raises(BrokenRun):
        event_data(b"event: video-download-update\ndata: [1]", KIND)


def test_an_answer_with_another_status_breaks_the_run() -> None:
    assert Answer(202, b'{"data":{"videoId":"a"}}', 0.0).data(202) == {"videoId": "a"}
    with pytest.raises(BrokenRun, match="429 instead of 202"):
        Answer(429, b"{}", 0.0).data(202)


@contextlib.asynccontextmanager
async def _server_of(*chunks: bytes) -> AsyncIterator[str]:
    """Serve one connection: wait for a request, send the chunks one by one, close."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(done.wait(), 5)


async def test_events_are_found_however_the_bytes_are_cut() -> None:
    told = [json.dumps({"n": n}).encode() for n in range(3)]
    body = b"retry: 2000\n\n" + b"".join(KIND + b"\ndata: " + data + b"\n\n" for data in told)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:20], body[20:50], body[50:]))
    heard: list[dict[str, Any]] = []
    async with _server_of(head, chunked[:35], chunked[35:37], chunked[37:], b"0\r\n\r\n") as url:
        kind = "video-download-update"
        stream = await EventStream.open(url, "/", "token", kind, lambda event, at: heard.append(event))
        async with asyncio.timeout(5):
            while not stream.ended:  # noqa: ASYNC110 - polled with a deadline
                await asyncio.sleep(0.01)
        stream.close()
    assert heard == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_a_stream_that_is_refused_breaks_the_run() -> None:
    async with _server_of(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n") as url:
        with pytest.raises(BrokenRun, match="401"):
            await EventStream.open(url, "/", "token", "video-download-update", lambda event, at: None)


async def test_an_answer_in_parts_is_whole() -> None:
    async with _server_of(b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nab", b"cd") as url:
        connection = await Connection.open(url)
        assert (await connection.send(request_bytes(url, "POST", "/", {}, b"{}"))).body == b"abcd"
        connection.close()


async def test_an_answer_that_is_cut_breaks_the_run() -> None:
    async with _server_of(b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nab") as url:
        connection = await Connection.open(url)
        with pytest.raises(BrokenRun, match="closed the connection"):
            await connection.send(request_bytes(url, "POST", "/", {}, b"{}"))
