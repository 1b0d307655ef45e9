"""The rendered file over HTTP: whole, in parts, and broken in every way."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.driving import eventually
from tests.integration.workflow.conftest import Job


@pytest.fixture
async def url(job: Job) -> str:
    """The address of a finished video."""
    await job.call()
    run = await eventually(job.ended, "the run ends")
    return str(run["result"]["videoUrl"])


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        yield client


async def part(client: httpx.AsyncClient, url: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Read until the end or until the connection breaks."""
    content = b""
    async with client.stream("GET", url, headers={name.replace("_", "-"): v for name, v in headers.items()}) as answer:
        try:
            async for chunk in answer.aiter_raw():
                content += chunk
        except httpx.RemoteProtocolError:
            pass  # what came before the cut is what the caller looks at
    return answer, content


async def test_a_file_comes_whole_or_in_parts(url: str, client: httpx.AsyncClient) -> None:
    whole = await client.get(url)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    size, etag = len(whole.content), whole.headers["etag"]
    head = await client.head(url)
    assert (head.headers["content-length"], head.headers["etag"]) == (str(size), etag)
    answer, content = await part(client, url, range="bytes=100-199", if_range=etag)
    assert (answer.status_code, answer.headers["content-range"]) == (206, f"bytes 100-199/{size}")
    assert content == whole.content[100:200]
    assert (await part(client, url, range="bytes=-50"))[1] == whole.content[-50:]
    assert (await part(client, url, range=f"bytes={size}-"))[0].status_code == 416
    assert (await part(client, url, range="bytes=100-", if_range='"old"'))[0].status_code == 200


@pytest.mark.parametrize("name", ["0.mp4", "999999.mp4", "..%2Fexecutions%2F1.json", "1.mp4.part", "x.mp4"])
async def test_there_is_nothing_else(url: str, client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"{url.rpartition('/')[0]}/{name}")).status_code == 404


async def test_not_a_video(job: Job, url: str, client: httpx.AsyncClient) -> None:
    await job.fault({"kind": "file-not-video"})
    assert (await client.get(url)).text.startswith("<!doctype html>")


async def test_truncated(job: Job, url: str, client: httpx.AsyncClient) -> None:
    size = len((await client.get(url)).content)
    await job.fault({"kind": "file-truncated", "share": 0.25})
    answer, content = await part(client, url)
    assert (answer.headers["content-length"], len(content)) == (str(size), size // 4)
    answer, content = await part(client, url, range=f"bytes={size // 4}-")
    assert (answer.status_code, content) == (206, b"")


async def test_cut_once(job: Job, url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-cut"})
    answer, first = await part(client, url)
    assert (answer.headers["content-length"], len(first)) == (str(len(whole)), len(whole) // 2)
    answer, rest = await part(client, url, range=f"bytes={len(first)}-", if_range=answer.headers["etag"])
    assert (answer.status_code, first + rest) == (206, whole)


async def test_chunked(job: Job, url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-chunked"})
    answer = await client.get(url, headers={"range": "bytes=5-"})
    assert (answer.status_code, answer.headers.get("content-length"), answer.content) == (200, None, whole)


async def test_no_ranges(job: Job, url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-no-range"})
    answer = await client.get(url, headers={"range": "bytes=5-"})
    assert (answer.status_code, answer.headers.get("accept-ranges"), answer.content) == (200, None, whole)


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large(job: Job, url: str, client: httpx.AsyncClient, announced: bool) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-too-large", "bytes": 10**12, "announced": announced})
    got = b""
    async with client.stream("GET", url) as answer:
        assert answer.headers.get("content-length") == (str(10**12) if announced else None)
        async for chunk in answer.aiter_raw():
            got += chunk
            if len(got) > len(whole) + 1000:
                break
    assert got[: len(whole)] == whole
    assert not any(got[len(whole) :])


async def test_slow(job: Job, url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-slow", "bytesPerSecond": len(whole)})
    answer = await client.get(url)
    assert answer.content == whole
    assert answer.elapsed.total_seconds() > 0.8


async def test_an_error_first(job: Job, url: str, client: httpx.AsyncClient) -> None:
    await job.fault({"kind": "file-error", "times": 2})
    assert (await client.head(url)).status_code == 500
    assert [(await client.get(url)).status_code for _ in range(3)] == [500, 500, 200]


async def test_redirects(job: Job, url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content
    await job.fault({"kind": "file-redirect", "hops": 3})
    answer = await client.get(url, follow_redirects=True)
    assert (len(answer.history), answer.content) == (3, whole)
    await job.fault({"kind": "file-redirect", "to": "http://169.254.169.254/"})
    assert (await client.get(url)).headers["location"] == "http://169.254.169.254/"
