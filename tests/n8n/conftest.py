"""One real n8n, one rendering service, one Reelway that is pointed at them."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from deploy.local.ports import free_ports
from deploy.local.stack import LocalStack
from tests.conftest import QUICK, STORES
from tests.n8n.real_n8n import CALLER_HEADER, RealN8n, is_installed
from tests.n8n.renderer import Renderer, renderer_on

IMPATIENT = {"WORKFLOW_ASK_EVERY": "1", "WORKFLOW_LOST_AFTER": "5"}


@pytest.fixture(scope="session")
def ports() -> dict[str, int]:
    """A port for each of those who have to know each other."""
    return free_ports(["n8n", "n8n-broker", "renderer", "gateway"])


@pytest.fixture(scope="session")
def renderer(ports: dict[str, int]) -> Iterator[Renderer]:
    """The rendering service."""
    with renderer_on(ports["renderer"]) as renderer:
        yield renderer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def n8n(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> AsyncIterator[RealN8n]:
    """The real n8n."""
    if not is_installed():
        pytest.skip("n8n is not installed: `make test-n8n` does that")
    n8n = RealN8n(tmp_path_factory.mktemp("n8n"), ports)
    elsewhere = {"renderer:5680": "renderer", "gateway:8080": "gateway"}
    try:
        await n8n.set_up({before: f"127.0.0.1:{ports[name]}" for before, name in elsewhere.items()})
        yield n8n
    finally:
        await n8n.child.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int], n8n: RealN8n
) -> AsyncIterator[LocalStack]:
    """Reelway with everything embedded but n8n."""
    environ = {
        **os.environ,
        "VIDEO_CREATION_WEBHOOK_URL": n8n.webhook("create-video"),
        "GENERATE_VIDEO_WEBHOOK_URL": n8n.webhook("generate-video"),
        "N8N_AUTH_HEADER": CALLER_HEADER,
        "N8N_AUTH_VALUE": n8n.secrets.caller,
        "N8N_API_KEY": n8n.api_key,
        "WEBHOOK_SECRETS": f"{n8n.secrets.webhook},{n8n.secrets.signing}",
    }
    folder = tmp_path_factory.mktemp("stack")
    gateway = {"gateway": ports["gateway"]}
    overrides = {**QUICK, "generator": IMPATIENT}
    async with LocalStack(folder, ports=gateway, environ=environ, overrides=overrides) as stack:
        assert set(stack.site.engines) == set(STORES)
        yield stack
