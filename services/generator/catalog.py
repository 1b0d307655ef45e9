"""`python -m services.generator.catalog FILE [--prune]`: make the catalog what a file says.

Only the database is needed; the running generator (or the next one to start) publishes the changes.
"""

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

from pymongo.errors import PyMongoError

from services.generator.catalog_file import CatalogFile, CatalogFileError, read_catalog
from services.generator.catalog_store import CatalogStore
from services.generator.settings import CatalogSettings
from shared.contracts.cloudevents import Record
from shared.delivery.outbox import Outbox, PublishError
from shared.wiring.environment import settings_or_exit
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import Mongo

COLLECTION = "catalog"


async def bring_in(mongo_url: str, catalog: CatalogFile, *, prune: bool) -> Counter[str]:
    """Write the catalog into the generator's database; return the counts of what was done. Raises PyMongoError."""
    metrics = Metrics()
    mongo = Mongo(mongo_url, "generator", metrics)
    collection = mongo.database[COLLECTION]
    try:
        outbox = Outbox(collection, _leave_it_to_the_service, source="generator", metrics=metrics)
        return await CatalogStore(collection, outbox).bring_in(catalog, prune=prune)
    finally:
        await mongo.close()


async def _leave_it_to_the_service(record: Record) -> None:
    raise PublishError(record.topic)


def main(arguments: list[str] | None = None) -> int:
    """Import the file; return 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m services.generator.catalog", description="Import a catalog file.")
    parser.add_argument("file", type=Path, help="JSON: {avatars: […], voices: […], topics: […]}")
    parser.add_argument("--prune", action="store_true", help="also remove what the file does not have")
    chosen = parser.parse_args(arguments)
    try:
        catalog = read_catalog(chosen.file)
        url = settings_or_exit(CatalogSettings).generator_mongo_url
        counts = asyncio.run(bring_in(url, catalog, prune=chosen.prune))
    except CatalogFileError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except PyMongoError as error:
        sys.stderr.write(f"The database does not answer ({type(error).__name__}). Check GENERATOR_MONGO_URL.\n")
        return 1
    done = ", ".join(f"{counts[name]} {name}" for name in ("added", "changed", "unchanged", "removed"))
    sys.stdout.write(f"{chosen.file}: {done}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
