"""Ready checks: each asks a program in its own protocol and raises NotReady with the reason."""

import asyncio
import io
import logging

import httpx
import urllib3
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from minio import Minio
from minio.error import MinioException
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.credentials import Credentials
from deploy.local.processes import NotReady
from shared.wiring.cancellation import to_its_end

_ANSWER_SECONDS = 2.0
_PROBED = "ready-check"
# A broker that is not there yet is what these checks are for, not news.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


async def kafka(bootstrap_servers: str) -> None:
    """Pass when the broker lists its topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(_ANSWER_SECONDS * 1000))
    try:
        await admin.start()
        await admin.list_topics()
    except (KafkaError, OSError) as error:
        raise NotReady(f"Kafka: {error}") from error
    finally:
        await to_its_end(admin.close())


async def mongo(url: str) -> None:
    """Pass when the database answers a ping."""
    await asyncio.to_thread(_ping_mongo, url)


def _ping_mongo(url: str) -> None:
    """In a thread: the asyncio client leaves sockets open when it is closed while it is connecting."""
    timeout_ms = int(_ANSWER_SECONDS * 1000)
    client: MongoClient[dict[str, object]] = MongoClient(
        url, serverSelectionTimeoutMS=timeout_ms, socketTimeoutMS=timeout_ms
    )
    try:
        client.admin.command("ping")
    except PyMongoError as error:
        raise NotReady(f"MongoDB: {error}") from error
    finally:
        client.close()


async def s3(address: str, credentials: Credentials) -> None:
    """Pass when the store gives back what it was given: some answer long before they take anything."""
    await asyncio.to_thread(_put_and_get, address, credentials)


def _put_and_get(address: str, credentials: Credentials) -> None:
    with urllib3.PoolManager(retries=False, timeout=_ANSWER_SECONDS) as pool:
        keys = credentials.s3_access_key, credentials.s3_secret_key
        store = Minio(address, *keys, secure=False, region="us-east-1", http_client=pool)
        try:
            if not store.bucket_exists(_PROBED):
                store.make_bucket(_PROBED)
            store.put_object(_PROBED, "probe", io.BytesIO(b"probe"), 5)
            store.get_object(_PROBED, "probe").read()
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise NotReady(f"S3: {error}") from error


async def http(url: str) -> None:
    """Pass when a GET of the URL answers 200."""
    async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
        try:
            answer = await client.get(url)
        except httpx.HTTPError as error:
            raise NotReady(f"no answer from {url}: {error or type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise NotReady(f"{url} answers {answer.status_code} {answer.text[:300]}")
