"""A Kafka connection that broke says so on every event loop: where asyncio forgives a write to it, uvloop raises.

aiokafka takes only an OSError for a broken connection (github.com/aio-libs/aiokafka, issue 1038). uvloop's RuntimeError
passes through and ends what wrote for good: the fetching, the heartbeat, the commit, the farewell at a stop.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def notice_broken_connections() -> None:
    """Let every Kafka connection of this process raise KafkaConnectionError where it is closed. May be called again."""
    AIOKafkaConnection.send = _send_or_say_so


def _send_or_say_so(connection: AIOKafkaConnection, *request: Any, **options: Any) -> Any:
    try:
        return _send(connection, *request, **options)
    except KafkaError:  # a RuntimeError itself
        raise
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error
