"""One stack for all tests in here, and its workflow engine, told to misbehave for one job at a time."""

from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.stack import LocalStack
from tests.conftest import one_stack
from tests.driving import Json


class Engine:
    """The embedded workflow engine's control side."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def fault(self, job: str, *faults: Json) -> None:
        """Set the faults of one job, named by its title or videoId."""
        answer = await self._client.put("/control/faults", params={"job": job}, json={"faults": list(faults)})
        assert answer.status_code < 300, answer.text

    async def executions(self, video_id: str) -> list[Json]:
        """Return every run the engine started for a video: what a paying customer would be billed for."""
        answer = await self._client.get("/control/executions")
        assert answer.status_code == 200, answer.text
        return [e for e in answer.json()["executions"] if e["videoId"] == video_id]


stack = one_stack()


@pytest.fixture
async def engine(stack: LocalStack) -> AsyncIterator[Engine]:
    """The workflow engine; its faults are cleared afterwards."""
    async with httpx.AsyncClient(base_url=stack.url("workflow"), timeout=10) as client:
        yield Engine(client)
        if stack.pid("workflow") is not None:
            await client.delete("/control/faults")
