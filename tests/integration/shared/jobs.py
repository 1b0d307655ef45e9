"""Workers of a test's own, and what they have made of its documents."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from shared.delivery.workers import Work, Workers
from shared.wiring.metrics import Metrics
from tests.integration.shared.conftest import Collection, Document

LEASE = timedelta(seconds=1)


def workers(collection: Collection, work: Work, metrics: Metrics | None = None, **options: object) -> Workers:
    quick = {"poll_every": timedelta(seconds=0.1), "retry_first": timedelta(seconds=0.1), "lease": LEASE, **options}
    return Workers(collection, work, metrics=metrics or Metrics(), **quick)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def working(*several: Workers) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in several]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def state(collection: Collection, document_id: str = "a") -> Document:
    document = await collection.find_one({"_id": document_id})
    assert document is not None
    return document


def has(collection: Collection, **expected: object) -> Callable[[], object]:
    async def ask() -> bool:
        document = await state(collection)
        return all(document.get(name) == value for name, value in expected.items())

    return ask
