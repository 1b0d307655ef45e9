"""One service's own database."""

import asyncio
import time
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.write_concern import WriteConcern

from shared.contracts.wire import utc_now
from shared.wiring.database_time import DatabaseTime
from shared.wiring.metrics import Metrics

WATCH_SECONDS = 5.0
SILENT_SECONDS = 30.0
SERVER_SELECTION_SECONDS = 3.0
ANSWER_SECONDS = 10.0

_AWAY = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    WaitQueueTimeoutError,
    WriteConcernError,
)

# MongoDB's src/mongo/base/error_codes.yml: what its operators must mend, whatever the write was.
_AWAY_CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        13,  # Unauthorized
        18,  # AuthenticationFailed
        89,  # NetworkTimeout
        133,  # FailedToSatisfyReadPreference
        134,  # ReadConcernMajorityNotAvailableYet
        262,  # ExceededTimeLimit
        9001,  # SocketException
        14031,  # OutOfDiskSpace
    }
)
_UNCLEAR_CODES = frozenset({1, 8})  # InternalError, UnknownError: a full disk, or a document it chokes on


def database_is_away(error: BaseException) -> bool:
    """Return whether `error` says that the database can't serve now, as opposed to a write it refuses."""
    if isinstance(error, OperationFailure) and error.code in _AWAY_CODES:
        return True
    return isinstance(error, _AWAY) or (
        isinstance(error, PyMongoError)
        and (error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError"))
    )


def database_broke(error: BaseException) -> bool:
    """Return whether the database failed at a write without saying whose fault that is; another write may tell."""
    return isinstance(error, OperationFailure) and error.code in _UNCLEAR_CODES


class SilentClientError(Exception):
    """The database answers others, and has not answered this process's client for long."""


class Mongo:
    """The client and the database of one service; every write is acknowledged by a majority and journaled."""

    def __init__(self, url: str, default_name: str, metrics: Metrics) -> None:
        self._url = url
        self._listeners = [DatabaseTime(metrics)]
        self._appname = f"reelway-{default_name}"
        self.client = self._new_client()
        self.database: AsyncDatabase[dict[str, Any]] = self.client.get_default_database(default_name).with_options(
            write_concern=WriteConcern("majority", j=True)
        )

    def _new_client(self) -> AsyncMongoClient[dict[str, Any]]:
        return AsyncMongoClient(
            self._url,
            tz_aware=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            connectTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            socketTimeoutMS=ANSWER_SECONDS * 1000,
            waitQueueTimeoutMS=SERVER_SELECTION_SECONDS * 1000,
            appname=self._appname,
            event_listeners=self._listeners,
        )

    async def ping(self) -> None:
        """Return when the database answers. Raises PyMongoError."""
        await self.client.admin.command("ping")

    async def watch(self) -> None:
        """Return never. Raises SilentClientError where only a client made anew would be answered.

        A pool that was paused when the server went away can stay so. Every collection of the process hangs on its
        client, so who calls this ends the process, and is started again with a client that works.
        """
        alone_since: float | None = None  # not since its last answer: after an outage every client has its time
        while True:
            if await _answers(self.client) or not await self._answers_another():
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since > SILENT_SECONDS:
                raise SilentClientError(f"no answer for {SILENT_SECONDS:.0f} s, though others get theirs")
            await asyncio.sleep(WATCH_SECONDS)

    async def _answers_another(self) -> bool:
        async with self._new_client() as another:
            return await _answers(another)

    async def takes_writes(self) -> bool:
        """Return whether a write that nothing can be wrong with succeeds."""
        try:
            await self.database["probe"].update_one({"_id": "write"}, {"$set": {"at": utc_now()}}, upsert=True)
        except PyMongoError:
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()


async def _answers(client: AsyncMongoClient[dict[str, Any]]) -> bool:
    try:
        async with asyncio.timeout(SERVER_SELECTION_SECONDS):
            await client.admin.command("ping")
    except (PyMongoError, TimeoutError):
        return False
    return True
