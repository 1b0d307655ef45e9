"""Two faults of aiokafka's connections, mended for the whole process."""

import asyncio
from typing import Any

from aiokafka import client
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def mend_connections() -> None:
    """Let every Kafka connection of this process say that it is broken, and be closed. May be called again.

    - aiokafka takes only an OSError for a broken connection (github.com/aio-libs/aiokafka, issue 1038). Where asyncio
      forgives a write to a closed one, uvloop raises a RuntimeError: it passed through and ended what wrote for good,
      the fetching, the heartbeat, the commit, the farewell at a stop. It raises KafkaConnectionError now.
    - A client's first connection, which only asks for the brokers, was nobody's and stayed open where the start was
      cancelled meanwhile.
    """
    AIOKafkaConnection.send = _send_or_say_so
    client.create_conn = _create


def _send_or_say_so(connection: AIOKafkaConnection, *request: Any, **options: Any) -> Any:
    try:
        return _send(connection, *request, **options)
    except KafkaError:  # a RuntimeError itself
        raise
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error


class _FirstConnection(AIOKafkaConnection):  # type: ignore[misc]  # it has no types
    """Closes itself where whoever asked over it waits no more."""

    async def send(self, *request: Any, **options: Any) -> Any:
        try:
            return await super().send(*request, **options)
        except asyncio.CancelledError:
            self.close()
            raise


async def _create(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    kept = "on_close" in options  # the client's list of its connections is told when they end
    connection = (AIOKafkaConnection if kept else _FirstConnection)(host, port, **options)
    await connection.connect()
    return connection
