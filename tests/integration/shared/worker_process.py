"""A process with workers, to be frozen or killed: `python -m tests.integration.shared.worker_process URL COLLECTION`.

Its work says that it began, waits until the document says `go`, and finishes with its own process id.
"""

import asyncio
import os
import sys
from datetime import timedelta

from shared.delivery.leases import Lease
from shared.delivery.workers import Workers
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo
from tests.waiting import until


async def main(url: str, name: str) -> None:
    mongo = Mongo(url, "delivery", Metrics())
    collection = mongo.database[name]

    async def work(lease: Lease) -> None:
        await lease.write({"$push": {"began": os.getpid()}})
        await until(lambda: collection.find_one({"_id": lease.id, "go": True}), within_seconds=60)
        await lease.finish({"$push": {"ended": os.getpid()}})

    workers = Workers(
        collection,
        work,
        metrics=Metrics(),
        lease=timedelta(seconds=3),
        poll_every=timedelta(seconds=0.1),
    )
    await workers.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
