"""Renders in a process of its own, so that the server stays responsive and a render can be killed.

The parent writes one JSON job to the child's standard input and reads one JSON line per report from its output:
`{"share": 0.4}` again and again, at last `{"rendered": {...}}`.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.local.launch import die_with

_REPOSITORY = Path(__file__).resolve().parents[3]
_NICENESS = 5
_COMPLAINT_KEPT = 500


class RenderFailed(Exception):
    """The renderer ended without a file; the message is its last word."""


async def render_apart(
    fields: dict[str, Any], path: Path, size: tuple[int, int], fps: int, report: Callable[[float], None]
) -> dict[str, Any]:
    """Render the video of `fields` to `path` (absolute); `report` hears the share done (0..1).

    Returns size_bytes, duration_seconds, width and height. Raises RenderFailed. When cancelled, the child is killed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", __name__),
        cwd=_REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at a terminal is for the server, which then hands the run back
    )
    complaints = asyncio.create_task(_rest(process.stderr))
    try:
        job = {"fields": fields, "path": str(path), "size": size, "fps": fps, "parent": os.getpid()}
        rendered = await _converse(process, json.dumps(job).encode(), report)
        status = await process.wait()
        if rendered is None or status != 0:
            raise RenderFailed(_last_line(await complaints) or f"the renderer ended with status {status}")
        return rendered
    finally:
        complaints.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _converse(
    process: asyncio.subprocess.Process, job: bytes, report: Callable[[float], None]
) -> dict[str, Any] | None:
    if process.stdin is None or process.stdout is None:
        raise RenderFailed("the renderer has no pipes")
    process.stdin.write(job)
    process.stdin.close()
    async for line in process.stdout:
        said = json.loads(line)
        if "rendered" in said:
            rendered: dict[str, Any] = said["rendered"]
            return rendered
        report(said["share"])
    return None


async def _rest(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:_COMPLAINT_KEPT] if lines else ""


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Be the child: read one job, render it, report."""
    job = json.loads(sys.stdin.read())
    die_with(job["parent"])
    os.nice(_NICENESS)
    # Only the child pays for loading the codecs.
    from deploy.local.workflow.renderer import render
    from deploy.local.workflow.storyboard import storyboard

    board = storyboard(job["fields"])
    width, height = job["size"]
    rendered = render(board, Path(job["path"]), (width, height), job["fps"], lambda share: _say({"share": share}))
    _say({"rendered": asdict(rendered)})


if __name__ == "__main__":
    main()
