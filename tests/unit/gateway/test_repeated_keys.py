"""A key that is the same for every attempt hides what is reported about the later ones: the log says so."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts
from services.gateway.store.videos import Videos
from services.gateway.workflow.callbacks import Callbacks, Webhook
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.gateway.view_world import VIDEO, World
from tests.unit.turns import Run


def webhook(key: str | None, attempt: int | None = None) -> Webhook:
    fields: dict[str, Any] = {"status": "failed"}
    return Webhook("complete", b"{}", "secret", key, VIDEO, attempt, None, fields)


def warnings_of(attempt: int, webhooks: Sequence[Webhook]) -> list[str]:
    """Return what is warned of when these come, the last one during this attempt."""
    world, memory = World(), Memory()
    receipts = Receipts(memory.collection, Post(memory), timedelta(seconds=30))
    videos = Videos(world.memory.collection, Post(world.memory), timedelta(seconds=30))
    callbacks = Callbacks(receipts, videos, cast("History", None), METRICS)
    *before, last = webhooks
    with capture_logs() as logs:
        for one in before:
            Run(callbacks.completed(one)).finish()
        world.video["attempt"] = attempt
        Run(callbacks.completed(last)).finish()
    return [log["event"] for log in logs if log["log_level"] == "warning"]


@pytest.mark.parametrize(
    ("attempt", "webhooks", "warned"),
    [
        (2, [webhook("mine"), webhook("mine")], ["webhook.repeat_after_retry"]),
        (1, [webhook("mine"), webhook("mine")], []),
        (2, [webhook("mine", 1), webhook("mine", 2)], []),
        (2, [webhook(None), webhook(None)], []),
        (2, [webhook("mine"), webhook("other")], []),
    ],
    ids=["a-key-for-all", "an-honest-repeat", "names-its-attempt", "no-key", "a-key-of-its-own"],
)
def test_what_may_be_news_of_a_later_attempt_is_warned_of(
    attempt: int, webhooks: list[Webhook], warned: list[str]
) -> None:
    assert warnings_of(attempt, webhooks) == warned
