"""Three faults of aiokafka's connections, mended for the whole process; and how a client's connections are cut off."""

import asyncio
from collections import defaultdict
from typing import Any
from weakref import WeakSet

from aiokafka import client
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.producer.sender import SendProduceReqHandler

from shared.wiring.cancellation import is_told_to_end

_send = AIOKafkaConnection.send
_can_retry = SendProduceReqHandler._can_retry
_being_made: defaultdict[AIOKafkaClient | None, set[asyncio.Task[Any]]] = defaultdict(set)
_cut_off: WeakSet[AIOKafkaClient] = WeakSet()


def mend_connections() -> None:
    """Let every Kafka connection of this process say that it is broken, and be closed. May be called again.

    - aiokafka takes only an OSError for a broken connection (github.com/aio-libs/aiokafka, issue 1038). Where asyncio
      forgives a write to a closed one, uvloop raises a RuntimeError: it passed through and ended what wrote for good,
      the fetching, the heartbeat, the commit, the farewell at a stop. It raises KafkaConnectionError now.
    - A client's first connection, which only asks for the brokers, was nobody's and stayed open where the start was
      cancelled meanwhile.
    - An idempotent producer sends again until it is told yes, for ever where brokers stay away, and its stop waits for
      that. One that is cut off gives up.
    """
    AIOKafkaConnection.send = _send_or_say_so
    client.create_conn = _create
    SendProduceReqHandler._can_retry = _can_retry_unless_cut_off


def cut_off(kafka: AIOKafkaClient) -> None:
    """Let whatever a client asks for, or waits for, fail at once and for good; for one that is being stopped."""
    _cut_off.add(kafka)
    for making in _being_made.get(kafka, ()):
        making.cancel()
    for connection in list(kafka._conns.values()):
        connection.close(reason=CloseReason.SHUTDOWN)


def _send_or_say_so(connection: AIOKafkaConnection, *request: Any, **options: Any) -> Any:
    try:
        return _send(connection, *request, **options)
    except KafkaError:  # a RuntimeError itself
        raise
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error


def _can_retry_unless_cut_off(handler: Any, *error_and_batch: Any) -> bool:
    return handler._client not in _cut_off and bool(_can_retry(handler, *error_and_batch))


class _FirstConnection(AIOKafkaConnection):  # type: ignore[misc]  # it has no types
    """Closes itself where whoever asked over it waits no more."""

    async def send(self, *request: Any, **options: Any) -> Any:
        try:
            return await super().send(*request, **options)
        except asyncio.CancelledError:
            self.close()
            raise


async def _create(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    listening = options.get("on_close")  # the client's list of its connections is told when they end
    connection = (_FirstConnection if listening is None else AIOKafkaConnection)(host, port, **options)
    kafka = getattr(listening, "__self__", None)
    if kafka in _cut_off:
        raise KafkaConnectionError(f"No connection to {host}:{port} any more")
    making = asyncio.ensure_future(connection.connect())
    _being_made[kafka].add(making)
    try:
        await making
    except asyncio.CancelledError:
        connection.close()
        if is_told_to_end():
            raise
        raise KafkaConnectionError(f"Connection to {host}:{port} cut off") from None
    finally:
        _being_made[kafka].discard(making)
        if not _being_made[kafka]:
            del _being_made[kafka]
    if kafka in _cut_off:
        connection.close()
        raise KafkaConnectionError(f"Connection to {host}:{port} cut off")
    return connection
