"""What every test can ask for: a running stack, only its engines, an HTTP client, people who are logged in."""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.site import ENGINE_VARIABLES
from deploy.local.stack import LocalStack

QUICK = {
    "workflow": {"WORKFLOW_PACE": "0", "WORKFLOW_FRAME_SIZE": "320x180", "WORKFLOW_FRAME_RATE": "4"},
    "gateway": {"REANNOUNCE_AFTER": "3", "REANNOUNCE_MOST": "8", "STREAMS_PER_USER": "100"},
    "notifier": {"STREAMS_PER_USER": "100"},
    "generator": {"WORKFLOW_ASK_EVERY": "1"},
}
os.environ.setdefault("KAFKA_FETCH_WAIT", "0.2")  # idle stacks then cost two fifths of what they cost at 0.05
os.environ.setdefault("KAFKA_SESSION_TIMEOUT", "2")  # the embedded broker makes who joins a group wait that long
STORES = tuple(name for name in ENGINE_VARIABLES if name != "workflow")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """Kafka, four databases and S3 on free ports; no services, no workflow engine."""
    async with LocalStack(tmp_path_factory.mktemp("engines"), services=(), engines=STORES) as stack:
        yield stack


def one_stack() -> Any:
    """Return the fixture `stack` of a package: all engines and services, which each test leaves as it found them."""

    @pytest_asyncio.fixture(name="stack", scope="package", loop_scope="session")
    async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
        folder = tmp_path_factory.mktemp("stack")
        async with LocalStack(folder, engines=ENGINE_VARIABLES, overrides=QUICK) as stack:
            yield stack

    return stack


@pytest.fixture
async def client(stack: LocalStack) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the gateway of the stack, logged in as nobody."""
    async with httpx.AsyncClient(base_url=stack.url("gateway"), timeout=30, trust_env=False) as client:
        yield client


@dataclass(frozen=True)
class User:
    """Somebody with an account, and a client that carries their token."""

    email: str
    password: str
    token: str
    client: httpx.AsyncClient


@pytest.fixture
async def new_user(stack: LocalStack) -> AsyncIterator[Callable[[], Awaitable[User]]]:
    """Registers one more person at each call."""
    async with AsyncExitStack() as clients:

        async def register() -> User:
            email, password = f"user-{uuid.uuid4().hex[:12]}@example.com", uuid.uuid4().hex
            client = httpx.AsyncClient(base_url=stack.url("gateway"), timeout=30, trust_env=False)
            await clients.enter_async_context(client)
            who = {"email": email, "password": password}
            (await client.post("/api/auth/register", json={**who, "name": "Test"})).raise_for_status()
            answer = (await client.post("/api/auth/login", json=who)).raise_for_status()
            token = answer.json()["data"]["accessToken"]
            client.cookies.clear()
            client.headers["Authorization"] = f"Bearer {token}"
            return User(email, password, token, client)

        yield register


@pytest.fixture
async def user(new_user: Callable[[], Awaitable[User]]) -> User:
    """Somebody new for this test."""
    return await new_user()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes wrote when a test fails; in CI, let nothing be skipped."""
    report = yield
    if report.skipped and os.environ.get("REELWAY_REQUIRE_ALL") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although REELWAY_REQUIRE_ALL is set: {report.longrepr}"
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, LocalStack):
                report.sections += [(f"end of {c.log}", "\n".join(c.last_lines())) for c in value.children.values()]
    return report
