"""A deployment under load: every service is stopped and started in its turn while people go on working."""

import pytest

from deploy.local.stack import LocalStack
from tests.asking import all_are_ready_and_told_once, asking
from tests.conftest import User
from tests.e2e.conftest import Engine

pytestmark = pytest.mark.timeout(240)


async def test_restarts_in_turn_lose_and_double_nothing(user: User, stack: LocalStack, engine: Engine) -> None:
    async with asking(user.client) as asker:
        for name in ("gateway", "generator", "media", "notifier"):
            await asker.one_more()
            await stack.stop(name)
            assert stack.children[name].exit_code() == 0, f"{name} was killed"
            await stack.start(name)
    await all_are_ready_and_told_once(user, asker.accepted)
    for video_id in asker.accepted:
        assert len(await engine.executions(video_id)) == 1
