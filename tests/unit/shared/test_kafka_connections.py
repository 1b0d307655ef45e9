"""A Kafka connection whose peer is gone raises what aiokafka understands; one that nobody waits for is closed."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from shared.wiring.kafka_connections import mend_connections


async def _send_on_a_closed_connection() -> None:
    mend_connections()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        connection = AIOKafkaConnection(*server.sockets[0].getsockname()[:2], request_timeout_ms=200)
        reader, writer = await asyncio.open_connection(connection.host, connection.port)
        connection._reader, connection._writer = reader, writer
        connection._read_task = asyncio.create_task(asyncio.sleep(0))
        writer.transport.abort()
        await reader.read()
        try:
            await connection.send(ApiVersionRequest())
        finally:
            connection.close()


@pytest.mark.parametrize(
    ("loop", "raised"),
    [(uvloop.new_event_loop, KafkaConnectionError), (asyncio.new_event_loop, TimeoutError)],
    ids=["uvloop", "asyncio"],
)
def test_a_write_to_what_is_closed(loop: Callable[[], asyncio.AbstractEventLoop], raised: type[Exception]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(raised):
        runner.run(_send_on_a_closed_connection())
