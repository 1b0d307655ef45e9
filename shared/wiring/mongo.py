"""One service's own database."""

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)
from pymongo.write_concern import WriteConcern

SERVER_SELECTION_SECONDS = 3.0
ANSWER_SECONDS = 10.0

_AWAY = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    WaitQueueTimeoutError,
    WTimeoutError,
)


def database_is_away(error: BaseException) -> bool:
    """Return whether `error` says that the database can't serve now, as opposed to a write it refuses."""
    return isinstance(error, _AWAY) or (
        isinstance(error, PyMongoError)
        and (error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError"))
    )


class Mongo:
    """The client and the database of one service; every write is acknowledged by a majority and journaled."""

    def __init__(self, url: str, default_name: str) -> None:
        self.client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            connectTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            socketTimeoutMS=ANSWER_SECONDS * 1000,
            waitQueueTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            appname=f"reelway-{default_name}",
        )
        self.database: AsyncDatabase[dict[str, Any]] = self.client.get_default_database(default_name).with_options(
            write_concern=WriteConcern("majority", j=True)
        )

    async def ping(self) -> None:
        """Return when the database answers. Raises PyMongoError."""
        await self.client.admin.command("ping")

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()
