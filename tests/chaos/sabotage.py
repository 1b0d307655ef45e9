"""Starts a service with one of its safeguards switched off, to see whether the checker notices.

`python -m tests.chaos.sabotage WHAT SERVICE`: patches the running code before the service is started; the services
themselves know no such switch.
"""

import asyncio
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from services.gateway.workflow.reannouncing import Reannouncing
from services.notifier.domain import News, Notification
from services.notifier.store import Store
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.delivery.workers import Workers


def sweep() -> None:
    """Let the outbox publish straight after a write only: what a crash leaves behind stays there."""

    async def run(_: Outbox) -> None:
        await asyncio.Event().wait()

    _put(Outbox, "run", run)


def dedupe() -> None:
    """Let the notifier tell whatever it hears, however often and however late."""
    append = Store.append

    async def append_all(self: Store, news: News) -> Notification | None:
        return await append(self, replace(news, source=f"{news.source}/{uuid4().hex}"))

    async def nothing_told(_: Store, __: str) -> int:
        return 0

    _put(Store, "append", append_all)
    _put(Store, "order_of", nothing_told)


def fencing() -> None:
    """Let every worker write to its document, whoever has the lease by now."""
    begin = Lease.__init__

    def unfenced(self: Lease, collection: Any, document: Document) -> None:
        begin(self, collection, document)
        _put(self, "_held", {"_id": self.id})

    _put(Lease, "__init__", unfenced)


def takeover() -> None:
    """Let jobs of dead workers stay theirs."""

    async def take_nothing_over(_: Workers) -> None: ...

    _put(Workers, "_take_over_dead", take_nothing_over)


def reannouncing() -> None:
    """Let the gateway ask once only."""

    async def ask_no_more(_: Reannouncing, lease: Lease) -> None:
        await lease.again(timedelta(hours=1))

    _put(Reannouncing, "work", ask_no_more)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    sabotage.__name__: sabotage for sabotage in (sweep, dedupe, fencing, takeover, reannouncing)
}


def _put(owner: object, name: str, value: object) -> None:
    """Replace what is there under that name; a name that has gone must not make the sabotage a blank."""
    getattr(owner, name)
    setattr(owner, name, value)


def main() -> None:
    """Run the service until it ends."""
    what, service = sys.argv[1:3]
    SABOTAGES[what]()
    sys.argv = [service]
    runpy.run_module(f"services.{service}", run_name="__main__")


if __name__ == "__main__":
    main()
