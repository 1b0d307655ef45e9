"""`catalog`: avatars, voices and topics as the generator announced them; an item's id is its event's key."""

from datetime import datetime
from typing import Any, Literal

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from shared.delivery.outbox import Document

ItemKind = Literal["avatar", "voice", "topic"]


class Catalog:
    """Every query on `catalog`. The newest announcement of an item counts, whatever order they come in."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the index of the listing."""
        await self._collection.create_index("kind", sparse=True)

    async def put(self, key: str, at: datetime, item: dict[str, Any]) -> None:
        """Keep `item`, unless something newer is known of it."""
        await self._replace(key, at, {"$set": {"kind": key.partition(":")[0], "item": item, "changedAt": at}})

    async def remove(self, key: str, at: datetime) -> None:
        """Forget the item, but not since when: an older announcement must not bring it back."""
        await self._replace(key, at, {"$set": {"changedAt": at}, "$unset": {"kind": "", "item": ""}})

    async def items(self, kind: ItemKind, order_by: str) -> list[dict[str, Any]]:
        """Return every item of `kind`, ordered by one of its fields."""
        found = await self._collection.find({"kind": kind}, {"item": 1}).to_list()
        items: list[dict[str, Any]] = [document["item"] for document in found]
        return sorted(items, key=lambda item: str(item.get(order_by, "")).casefold())

    async def _replace(self, key: str, at: datetime, update: Document) -> None:
        older = {"_id": key, "changedAt": {"$lte": at}}
        try:
            await self._collection.update_one(older, update, upsert=True)
        except DuplicateKeyError:
            return  # a newer announcement is there already
