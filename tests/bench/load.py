"""The load generator, a process of its own: `python -m tests.bench.load` takes one task a line, answers one a line.

A task: {"url", "path", "requests", "connections", "tokens": [...], "body": {...}}. The tokens take turns. The answer:
{"wall_seconds", "seconds": [each request's time], "video_ids": [...]}, or {"broken": why}.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.bench.figures import BrokenRun
from tests.bench.http_client import Connection, request_bytes


async def run(task: dict[str, Any]) -> dict[str, Any]:
    """Send the task's requests over its connections, each waiting for its answer before the next one."""
    waiting = iter(list(_requests(task)))
    connections = [await Connection.open(task["url"]) for _ in range(task["connections"])]
    seconds: list[float] = []
    video_ids: list[str] = []

    async def send_all(connection: Connection) -> None:
        for request in waiting:
            began = time.perf_counter()
            answer = await connection.send(request)
            seconds.append(answer.at - began)
            video_ids.append(answer.data(202)["videoId"])

    began = time.perf_counter()
    await asyncio.gather(*(send_all(connection) for connection in connections))
    wall_seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    if len(set(video_ids)) != task["requests"]:
        raise BrokenRun(f"{len(set(video_ids))} videos for {task['requests']} requests")
    return {"wall_seconds": wall_seconds, "seconds": seconds, "video_ids": video_ids}


def _requests(task: dict[str, Any]) -> Iterator[bytes]:
    for number in range(task["requests"]):
        body = {**task["body"], "title": f"{task['body']['title']} {next(_numbers)}"}
        headers = {"Authorization": f"Bearer {task['tokens'][number % len(task['tokens'])]}"}
        yield request_bytes(task["url"], "POST", task["path"], headers, json.dumps(body).encode())


_numbers = count(1)


def main() -> None:
    """Answer tasks until standard input ends."""
    for line in sys.stdin:
        try:
            answer = asyncio.run(run(json.loads(line)))
        except (BrokenRun, OSError, TimeoutError) as error:
            answer = {"broken": str(error) or repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
