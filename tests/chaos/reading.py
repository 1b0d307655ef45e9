"""Reads what is stored, past the proxies: databases, bucket, workflow engine."""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx
from minio import Minio
from pymongo import AsyncMongoClient

from deploy.local.site import MONGO_OPTIONS, SERVICES
from tests.chaos.arena import Arena
from tests.chaos.evidence import Stored

Json = dict[str, Any]

BUCKET = "reelway"
WEBHOOKS = ["webhook.complete", "webhook.error"]


class Reading:
    """Open connections to every store of one arena."""

    def __init__(self, arena: Arena) -> None:
        self._clients: dict[str, AsyncMongoClient[Json]] = {
            name: AsyncMongoClient(f"mongodb://{arena.straight(f'{name}-db')}/?{MONGO_OPTIONS}", tz_aware=True)
            for name in SERVICES
        }
        keys = arena.stack.credentials
        self._storage = Minio(
            arena.straight("s3"), keys.s3_access_key, keys.s3_secret_key, secure=False, region="us-east-1"
        )
        self._engine = httpx.AsyncClient(base_url=f"http://{arena.straight('workflow')}", timeout=20, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.close()
        await self._engine.aclose()

    async def everything(self) -> Stored:
        """Return all but `webhooks`. Raises PyMongoError, MinioException, httpx.HTTPError where a store is away."""
        return Stored(
            videos=await self._documents("gateway", "videos", fields=0),
            receipts=await self._documents("gateway", "receipts", body=0, passedOn=0),
            workflows=await self._documents("generator", "workflows", fields=0),
            held=await self._documents("generator", "held", event=0),
            assets=await self._documents("media", "assets"),
            claims=await self._documents("media", "claims"),
            notifications=await self._documents("notifier", "notifications", payload=0),
            objects=await asyncio.to_thread(self._objects),
            uploads=await asyncio.to_thread(self._uploads),
            executions=(await self._control("executions"))["executions"],
            calls=(await self._control("calls"))["calls"],
        )

    async def webhooks(self) -> list[Json]:
        """Return the timelines' entries of results and errors, which are too many to be read all the time."""
        timeline = self._clients["gateway"]["gateway"]["timeline"]
        return await timeline.find({"code": {"$in": WEBHOOKS}}, {"message": 0}).to_list()

    async def _documents(self, service: str, collection: str, **without: int) -> list[Json]:
        return await self._clients[service][service][collection].find({}, without or None).to_list()

    async def _control(self, what: str) -> Json:
        answer = (await self._engine.get(f"/control/{what}")).raise_for_status()
        found: Json = answer.json()
        return found

    def _objects(self) -> dict[str, int]:
        if not self._storage.bucket_exists(BUCKET):
            return {}
        found = self._storage.list_objects(BUCKET, recursive=True)
        return {str(one.object_name): int(one.size or 0) for one in found if not one.is_dir}

    def _uploads(self) -> list[str]:
        if not self._storage.bucket_exists(BUCKET):
            return []
        # The SDK offers this under a private name only.
        listed = self._storage._list_multipart_uploads(BUCKET)
        return [str(upload.object_name) for upload in listed.uploads]
