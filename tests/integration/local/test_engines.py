"""The embedded engines, each through its own protocol: killed, started again on the same port, its data kept."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from minio import Minio
from pymongo import AsyncMongoClient

from deploy.local.ports import free_port
from deploy.local.site import parts
from deploy.local.stack import LocalStack

CONTENT = Path(__file__).read_bytes()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[LocalStack]:
    """One database and the S3 gateway, in a folder with a space."""
    async with LocalStack(tmp_path / "a b", services=(), engines=["media-db", "s3"]) as stack:
        yield stack


async def test_kafka_carries_a_message(engines: LocalStack) -> None:
    topic = "local-stack-test"
    await make_topic(engines, topic)
    async with AIOKafkaProducer(bootstrap_servers=engines.url("kafka")) as producer:
        await producer.send_and_wait(topic, b"hello")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=engines.url("kafka"), auto_offset_reset="earliest")
    async with consumer:
        assert (await consumer.getone()).value == b"hello"


async def test_the_webhook_addresses_are_those_of_the_workflow_engine(tmp_path: Path) -> None:
    async with (
        LocalStack(tmp_path, services=(), engines=["workflow"]) as stack,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        for variable in ("VIDEO_CREATION_WEBHOOK_URL", "GENERATE_VIDEO_WEBHOOK_URL"):
            address = stack.settings("generator")[variable]
            assert (await client.post(address, json={})).is_success
            assert (await client.post(f"{address}-unknown", json={})).status_code == 404


async def test_what_was_acknowledged_outlives_kill_and_a_new_stack(pair: LocalStack) -> None:
    store = bucket(pair)
    store.make_bucket("kept")
    store.fput_object("kept", "videos/a.py", __file__)
    await insert(pair, "one")
    for name in ("media-db", "s3"):
        await pair.kill(name)
        await pair.start(name)
    assert store.stat_object("kept", "videos/a.py").size == len(CONTENT)
    await pair.stop_all()
    async with LocalStack(pair.site.folder, services=(), engines=["media-db", "s3"]) as tomorrow:
        assert bucket(tomorrow).stat_object("kept", "videos/a.py").size == len(CONTENT)
        assert await insert(tomorrow, "two") == ["one", "two"]


async def test_the_data_can_be_moved_to_another_folder(pair: LocalStack, tmp_path: Path) -> None:
    store = bucket(pair)
    store.make_bucket("kept")
    store.fput_object("kept", "a.py", __file__)
    await pair.stop_all()
    moved = pair.site.folder.rename(tmp_path / "elsewhere")
    async with LocalStack(moved, services=(), engines=["s3"]) as stack:
        answer = bucket(stack).get_object("kept", "a.py")
        assert answer.read() == CONTENT
        answer.close()


async def test_nothing_is_written_outside_and_no_other_port_opened(pair: LocalStack) -> None:
    home = Path.home()
    for left_behind in (".minio", ".secantus", ".calfkit"):
        assert not (home / left_behind).exists() or (home / left_behind).stat().st_ctime < time.time() - 60
    allowed = {port for name, port in pair.site.ports.items() if name == "media-db" or name.partition("-")[0] == "s3"}
    for name in ("media-db", "s3"):
        listening = listeners(pair.pid(name) or 0)
        assert {port for _, port in listening} <= allowed
        assert {address for address, _ in listening} == {"127.0.0.1"}


@asynccontextmanager
async def proxy(listen: int, target: int) -> AsyncIterator[list[bytes]]:
    """Pass everything from one port to another; gives what has passed."""
    passed: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            passed.append(data)
            writer.write(data)
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer), return_exceptions=True)

    async with await asyncio.start_server(join, "127.0.0.1", listen):
        yield passed


@pytest.mark.skipif(len(parts("kafka", os.environ)) > 1, reason="one proxy is for one broker; chaos has one for each")
async def test_a_proxy_in_front_of_an_engine_sees_everything(tmp_path: Path) -> None:
    own = {"kafka": free_port(), "media-db": free_port()}
    front = {"kafka": free_port(), "media-db": free_port()}
    async with (
        proxy(front["kafka"], own["kafka"]) as to_kafka,
        proxy(front["media-db"], own["media-db"]) as to_database,
        LocalStack(tmp_path, services=(), engines=own, ports=own, advertised=front) as stack,
    ):
        assert stack.url("kafka") == f"127.0.0.1:{front['kafka']}"
        await make_topic(stack, "proxied")
        async with AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{own['kafka']}") as producer:
            await producer.send_and_wait("proxied", b"through the proxy")
        await insert(stack, "through the proxy")
    for passed in (to_kafka, to_database):
        assert any(b"through the proxy" in data for data in passed)


async def make_topic(stack: LocalStack, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.url("kafka"))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


def bucket(stack: LocalStack) -> Minio:
    keys = stack.credentials
    endpoint = stack.url("s3").removeprefix("http://")
    return Minio(endpoint, keys.s3_access_key, keys.s3_secret_key, secure=False, region="us-east-1")


async def insert(stack: LocalStack, name: str) -> list[str]:
    client: AsyncMongoClient[dict[str, str]] = AsyncMongoClient(stack.url("media-db"))
    try:
        await client.media.things.insert_one({"_id": name})
        return sorted([thing["_id"] async for thing in client.media.things.find()])
    finally:
        await client.close()


def listeners(pid: int) -> set[tuple[str, int]]:
    """Return (address, port) of every TCP socket the process listens on."""
    inodes = {target[8:-1] for target in opened(pid) if target.startswith("socket:")}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:
                host, port = fields[1].split(":")
                raw = b"".join(bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8))
                found.add((socket.inet_ntop(family, raw), int(port, 16)))
    return found


def opened(pid: int) -> Iterator[str]:
    """Yield what the process has opened; it may close one or the other meanwhile."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(descriptor)
