"""`python -m deploy.local up` with everything real: what a user made is there after the next start."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.site import ENGINE_VARIABLES
from tests.conftest import QUICK
from tests.driving import ask, wait_for_stage, wait_for_status
from tests.waiting import until

REPOSITORY = Path(__file__).parents[3]


@asynccontextmanager
async def running(folder: Path, **environ: str) -> AsyncIterator[dict[str, Any]]:
    """The stack as `make up` starts it; gives stack.json, and stops it with SIGTERM."""
    record = folder / "stack.json"
    process = make_up(folder, environ)
    try:
        await until(lambda: record.exists() or process.poll() is not None, within_seconds=90)
        assert process.poll() is None, process.communicate()[0]
        yield json.loads(record.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def make_up(folder: Path, more: Mapping[str, str]) -> "subprocess.Popen[str]":
    variables = {variable for engine in ENGINE_VARIABLES.values() for variable in engine}
    environ = {name: value for name, value in os.environ.items() if name not in variables}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "up", "--folder", str(folder)],
        cwd=REPOSITORY,
        env={**environ, **QUICK["workflow"], **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@asynccontextmanager
async def demo_user(stack: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client logged in as the demo user."""
    async with httpx.AsyncClient(base_url=stack["services"]["gateway"]["url"], timeout=30, trust_env=False) as client:
        answer = await client.post("/api/auth/login", json=stack["demo"])
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['data']['accessToken']}"
        yield client


async def download(client: httpx.AsyncClient, video_id: str) -> bytes:
    return (await client.get(f"/api/video/download/{video_id}", follow_redirects=True)).raise_for_status().content


@pytest.mark.usefixtures("usual_ports")
@pytest.mark.timeout(400)
async def test_yesterdays_video_is_there_after_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "my clone" / ".reelway"
    async with running(folder) as stack, demo_user(stack) as client:
        video_id = await ask(client, "Made yesterday")
        await wait_for_status(client, video_id, "ready", seconds=90)
        made = await download(client, video_id)
        assert made[4:8] == b"ftyp"
    async with running(folder) as tomorrow, demo_user(tomorrow) as client:
        assert tomorrow["demo"] == stack["demo"]
        gallery = (await client.get("/api/video/gallery")).json()["data"]["videos"]
        assert [video["videoId"] for video in gallery] == [video_id]
        assert await download(client, video_id) == made


@pytest.mark.usefixtures("usual_ports")
@pytest.mark.timeout(400)
async def test_what_renders_while_it_is_stopped_is_rendered_anew_and_comes_home(tmp_path: Path) -> None:
    folder = tmp_path / ".reelway"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else holds it, which will do
            other.bind(("127.0.0.1", 8080))
            other.listen()
        async with running(folder, WORKFLOW_PACE="30") as stack, demo_user(stack) as client:
            video_id = await ask(client, "Interrupted")
            await wait_for_stage(client, video_id, "rendering")
    async with running(folder) as tomorrow, demo_user(tomorrow) as client:
        assert {name: one["url"] for name, one in tomorrow["services"].items()} == {
            name: one["url"] for name, one in stack["services"].items()
        }, "the run calls back where the gateway was when it was started"
        await wait_for_status(client, video_id, "ready", seconds=90)
        engine = tomorrow["engines"]["workflow"]["url"]
        (run,) = (await client.get(f"{engine}/control/executions")).json()["executions"]
        ends = [one["purpose"] for one in run["callbacks"] if one["purpose"] != "progress"]
        assert (run["status"], ends) == ("success", ["complete"])
