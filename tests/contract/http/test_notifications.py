"""`/api/notifications` while the notifier is away: refusals in the envelope, as everywhere."""

import pytest

from tests.contract.http.shapes import refusal
from tests.integration.gateway.world import World

PATHS = pytest.mark.parametrize("path", ["/api/notifications", "/api/notifications/stream"])


@PATHS
async def test_notifier_away(world: World, path: str) -> None:
    person = await world.person()
    refused = await person.client.get(path)
    refusal(refused, 503, "NOTIFIER_AWAY")
    assert int(refused.headers["retry-after"]) > 0


@PATHS
async def test_nobody_without_logging_in(world: World, path: str) -> None:
    refusal(await world.client().get(path), 401, "UNAUTHENTICATED")
