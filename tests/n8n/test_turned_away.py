"""A proxy answers 503 to a call: what got through all the same is found in n8n, and what did not is called again."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.ports import free_ports
from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import ask, timeline_of, wait_for_status
from tests.n8n.losing_proxy import LosingProxy, losing_proxy
from tests.n8n.real_n8n import RealN8n
from tests.n8n.renderer import Renderer

pytestmark = pytest.mark.timeout(1200)

CALLED = "GENERATE_VIDEO_WEBHOOK_URL"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(stack: LocalStack, n8n: RealN8n) -> AsyncIterator[LosingProxy]:
    """A proxy by which the generator calls n8n, and asks it, as long as this module lasts."""
    port = free_ports(["proxy"])["proxy"]
    with losing_proxy(port, n8n.webhook("").removesuffix("/webhook/")) as proxy:
        await stack.restart("generator", {CALLED: f"{proxy.url}/webhook/generate-video"})
        yield proxy
        await stack.restart("generator", {CALLED: n8n.webhook("generate-video")})


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ({"loses": 1}, ["lost"]),
        ({"refuses": 1}, ["refused", "passed on"]),
        ({"refuses": 1, "loses": 1}, ["refused", "lost"]),
    ],
    ids=["after the start", "before the start", "before and after"],
)
async def test_a_call_is_paid_once_whatever_the_proxy_did(
    user: User, renderer: Renderer, proxy: LosingProxy, answers: dict[str, int], calls: list[str]
) -> None:
    await wait_for_status(user.client, await ask(user.client, "One that came before"), "ready", 240)
    proxy.calls.clear()
    for name, count in answers.items():
        setattr(proxy, name, count)
    video_id = await ask(user.client, f"Turned away, {' and '.join(calls)}")
    await wait_for_status(user.client, video_id, "ready", 240)
    assert proxy.calls == calls
    assert len(renderer.paid_for(video_id)) == 1
    codes = [entry["code"] for entry in (await timeline_of(user.client, video_id))["entries"]]
    assert codes.count("call.turned_away") == len([call for call in calls if call != "passed on"])
    assert codes.count("asked.absent") == calls.count("refused")
