"""A process of the bench that works against what is measured: it takes one JSON line and answers with one."""

import asyncio
import json
import sys
from types import TracebackType
from typing import Any, Self

from deploy.local.site import REPOSITORY
from tests.bench.figures import BrokenRun

_LINE_BYTES = 16 * 1024 * 1024
_STOP_SECONDS = 5.0


class Partner:
    """Runs `python -m MODULE` while it is entered. The process ends with its standard input, so never after us."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            cwd=REPOSITORY,
        )
        return self

    async def ask(self, task: dict[str, Any], within_seconds: float = 90.0) -> dict[str, Any]:
        """Return the answer to a task. Raises BrokenRun where it is `broken` or none comes."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task).encode() + b"\n")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), within_seconds)
        except TimeoutError:
            raise BrokenRun(f"{self._module} did not answer within {within_seconds:.0f} s") from None
        if not line:
            raise BrokenRun(f"{self._module} ended with exit code {await process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "broken" in answer:
            raise BrokenRun(f"{self._module}: {answer['broken']}")
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
