"""A gateway with engines of its own, for the session; what needs other settings starts its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from tests.integration.gateway.world import ENGINES, World, world_of


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def gateway_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    folder = tmp_path_factory.mktemp("gateway")
    overrides = {"gateway": {"VIDEO_QUOTA": "1000000"}}  # what a full one does is tested apart
    async with LocalStack(folder, services=("gateway",), engines=(*ENGINES, "s3"), overrides=overrides) as stack:
        yield stack


@pytest.fixture
async def world(gateway_stack: LocalStack) -> AsyncIterator[World]:
    async with world_of(gateway_stack) as world:
        yield world
