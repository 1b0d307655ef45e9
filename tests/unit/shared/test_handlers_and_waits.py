"""Small rules of the delivery core that need no engine."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.events import VideoReady
from shared.contracts.topics import ALL, SERVICES, dead_letters
from shared.delivery.inbox import event_type
from shared.delivery.leases import backoff, new_job


def test_a_handlers_annotation_names_its_event() -> None:
    class Handlers:
        async def on_ready(self, event: VideoReady) -> None: ...

    async def on_ready(event: VideoReady) -> None: ...

    assert event_type(on_ready) is event_type(Handlers().on_ready) is VideoReady


def test_a_handler_without_one_typed_event_is_refused_at_start() -> None:
    async def untyped(event) -> None: ...  # type: ignore[no-untyped-def]

    async def anything(event: Any) -> None: ...

    async def two(event: VideoReady, more: int) -> None: ...

    for handler in (untyped, anything):
        with pytest.raises(TypeError):
            event_type(handler)
    with pytest.raises(ValueError, match="unpack"):
        event_type(two)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tries", "full"), [(0, 1), (1, 2), (3, 8), (6, 60), (10_000, 60)])
def test_waits_double_up_to_the_most_and_are_spread(tries: int, full: float) -> None:
    waits = {backoff(tries, first=timedelta(seconds=1), most=timedelta(seconds=60)) for _ in range(50)}
    assert all(timedelta(seconds=full / 2) <= wait <= timedelta(seconds=full) for wait in waits)
    assert len(waits) > 10


def test_a_new_job_is_due_at_once_and_carries_what_it_is_given() -> None:
    job = new_job("transfer", source="x")
    assert (job["kind"], job["tries"], job["source"]) == ("transfer", 0, "x")


def test_every_topic_is_listed_once_and_each_service_has_its_dead_letters() -> None:
    names = [topic.name for topic in ALL]
    assert len(names) == len(set(names))
    assert {dead_letters(service).name for service in SERVICES} <= set(names)
