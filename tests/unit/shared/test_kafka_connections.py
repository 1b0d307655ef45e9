"""A Kafka connection whose peer is gone raises what aiokafka understands; one that nobody waits for is closed."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from shared.wiring import kafka_connections
from shared.wiring.kafka_connections import cut_off, mend_connections


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


async def test_a_client_that_is_cut_off_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks for a connection waits in line: the next one would have tried for the whole time limit again."""
    mend_connections()
    accepted = asyncio.Event()

    async def take_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(take_and_say_nothing, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        kafka = AIOKafkaClient(bootstrap_servers=f"{host}:{port}", request_timeout_ms=30_000)
        monkeypatch.setattr(kafka.cluster, "broker_metadata", lambda _: SimpleNamespace(host=host, port=port))
        asking = [asyncio.create_task(kafka._get_conn(1, group=group)) for group in ConnectionGroup]
        await accepted.wait()
        cut_off(kafka)
        async with asyncio.timeout(2):
            assert await asyncio.gather(*asking) == [None] * len(asking)
        assert await kafka._get_conn(1) is None
        await kafka.close()
        cut_off(kafka)
        assert kafka not in kafka_connections._being_made, "it is let go"
