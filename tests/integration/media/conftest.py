"""A media service of a module's own: what one module breaks is no other's trouble."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from minio import Minio

from deploy.local.stack import LocalStack
from tests.integration.eyes import eyes_on
from tests.integration.media.file_server import FileServer
from tests.integration.media.world import WATCHED, World

ENGINES = ("kafka", "media-db", "s3")
QUICK = {
    "TRANSFER_RETRY_FIRST": "0.1",
    "TRANSFER_RETRY_MOST": "0.5",
    "TRANSFER_LEASE": "3",
    "FETCH_READ_TIMEOUT": "15",
    "SWEEP_EVERY": "0.5",
    "MAX_VIDEO_BYTES": "20000000",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A media service with files to fetch."""
    folder = tmp_path_factory.mktemp("media")
    with FileServer().running() as files:
        async with (
            LocalStack(folder, services=("media",), engines=ENGINES, overrides={"media": QUICK}) as stack,
            eyes_on(stack, "media", WATCHED, partial(World, stack, files, _bucket(stack))) as world,
        ):
            yield world


def _bucket(stack: LocalStack) -> Minio:
    keys = stack.credentials
    return Minio(
        stack.url("s3").removeprefix("http://"),
        keys.s3_access_key,
        keys.s3_secret_key,
        secure=False,
        region="us-east-1",
    )
