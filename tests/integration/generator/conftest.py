"""A generator of a module's own. Module scope: each module's generator has the settings its tests need."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from tests.integration.eyes import eyes_on
from tests.integration.generator.scripted_n8n import ScriptedN8n
from tests.integration.generator.world import WATCHED, World

ENGINES = ("kafka", "generator-db")
QUICK = {
    "DISPATCH_RETRY_FIRST": "0.05",
    "DISPATCH_RETRY_MOST": "0.2",
    "JOB_LEASE": "3",
    "WORKFLOW_ANSWER_TIMEOUT": "2",
    "WORKFLOW_CONNECT_TIMEOUT": "1",
}


def world_with(settings: Mapping[str, str] | None = None) -> Any:
    """Return the fixture `world` of a module: a generator with these settings, stopped after the module's last test."""

    @pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
    async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
        async with ScriptedN8n().running() as n8n:
            given = {
                "VIDEO_CREATION_WEBHOOK_URL": n8n.url("create"),
                "GENERATE_VIDEO_WEBHOOK_URL": n8n.url("generate"),
                **QUICK,
                **(settings or {}),
            }
            folder = tmp_path_factory.mktemp("generator")
            overrides = {"generator": given}
            async with (
                LocalStack(folder, services=("generator",), engines=ENGINES, overrides=overrides) as stack,
                eyes_on(stack, "generator", WATCHED, partial(World, stack, n8n)) as world,
            ):
                await world.requests_handled("warm-up")
                yield world

    return world
