"""Which attempt a webhook is about that does not say so; a key that is always the same hides the later ones."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts, passed_on
from services.gateway.store.videos import Videos
from services.gateway.workflow.callbacks import Callbacks, Webhook
from shared.contracts.events import CompletionReported
from tests.unit.collection import METRICS, Memory, Post
from tests.unit.gateway.view_world import VIDEO, World
from tests.unit.turns import Run


def webhook(key: str | None, attempt: int | None = None) -> Webhook:
    fields: dict[str, Any] = {"status": "failed"}
    return Webhook("complete", b"{}", "secret", key, VIDEO, attempt, None, fields)


def callbacks_of(world: World, memory: Memory) -> Callbacks:
    receipts = Receipts(memory.collection, Post(memory), timedelta(seconds=30))
    videos = Videos(world.memory.collection, Post(world.memory), timedelta(seconds=30))
    return Callbacks(receipts, videos, cast("History", None), METRICS)


def warnings_of(attempt: int, webhooks: Sequence[Webhook]) -> list[str]:
    """Return what is warned of when these come, the last one during this attempt."""
    world = World()
    callbacks = callbacks_of(world, Memory())
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


def test_which_attempt_was_the_newest_is_passed_on_with_it() -> None:
    world, memory = World(), Memory()
    world.video["attempt"] = 2
    Run(callbacks_of(world, memory).completed(webhook(None))).finish()
    (receipt,) = memory.documents.values()
    event = passed_on(receipt)
    assert isinstance(event, CompletionReported)
    assert (event.attempt, event.newest) == (None, 2)
