"""The catalog in the generator's database: one document per item, each change with its event in the outbox."""

import hashlib
import json
from collections import Counter

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.generator.catalog_file import KINDS, CatalogFile, Item
from shared.contracts.events import CatalogEvent, CatalogItemRemoved, event_id
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document, Outbox

_MARK = "first-import"


class CatalogStore:
    """Documents `avatar:…`, `voice:…`, `topic:…`; a version counts the changes of each; removed ones stay."""

    def __init__(self, collection: AsyncCollection[Document], outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def ensure_indexes(self) -> None:
        """Make the index that voices are looked up by."""
        await self._collection.create_index([("kind", 1), ("item.gender", 1)])

    async def gender_of_avatar(self, avatar_id: str) -> str | None:
        """Return the gender of an avatar, None where the catalog has no such avatar."""
        document = await self._collection.find_one({"_id": f"avatar:{avatar_id}"})
        return None if document is None or document["removed"] else str(document["item"]["gender"])

    async def voices_of(self, gender: str) -> list[str]:
        """Return the ids of the voices of that gender."""
        found = await self._collection.find({"kind": "voice", "item.gender": gender}).to_list()
        return [str(document["item"]["voice_id"]) for document in found if not document["removed"]]

    async def was_imported(self) -> bool:
        """Return whether a first import came to its end."""
        return await self._collection.find_one({"_id": _MARK}) is not None

    async def bring_in(self, catalog: CatalogFile, *, prune: bool) -> Counter[str]:
        """Make the catalog what the file says; return how many items were added, changed, unchanged and removed."""
        known = {document["_id"]: document for document in await self._items()}
        counts: Counter[str] = Counter()
        wanted = set()
        for key, kind, item in catalog.items():
            wanted.add(key)
            counts[await self._put(known.get(key), key, kind, item)] += 1
        for key in known.keys() - wanted if prune else ():
            if not known[key]["removed"]:
                counts["removed"] += await self._remove(known[key])
        await self._collection.update_one({"_id": _MARK}, {"$setOnInsert": {"at": utc_now()}}, upsert=True)
        return counts

    async def announce_all(self) -> int:
        """Put each item's newest event into its outbox once more: Kafka may have forgotten it. Return how many."""
        settled = [document for document in await self._items() if "outboxAt" not in document]
        for document in settled:
            same = {"_id": document["_id"], "version": document["version"]}
            await self._collection.update_one(same, self._outbox.carry({}, _event(document)))
        return len(settled)

    async def _items(self) -> list[Document]:
        return await self._collection.find({"kind": {"$in": list(KINDS)}}).to_list()

    async def _put(self, known: Document | None, key: str, kind: str, item: Item) -> str:
        fields = item.model_dump(exclude_none=True)
        document = {"_id": key, "kind": kind, "item": fields, "digest": _digest(fields), "removed": False, "version": 1}
        if known is None:
            try:
                await self._collection.insert_one(self._outbox.carry_new(document, _event(document)))
            except DuplicateKeyError:
                return "unchanged"  # another process is importing at the same time
            return "added"
        if known["digest"] == document["digest"] and not known["removed"]:
            return "unchanged"
        return "changed" if await self._replace(known, document) else "unchanged"

    async def _remove(self, known: Document) -> bool:
        return await self._replace(known, {**known, "removed": True})

    async def _replace(self, known: Document, document: Document) -> bool:
        """Write the next version, unless another process was quicker."""
        version = known["version"] + 1
        news = _event({**document, "version": version})
        changed = {name: document[name] for name in ("item", "digest", "removed")} | {"version": version}
        same = {"_id": known["_id"], "version": known["version"]}
        done = await self._collection.update_one(same, self._outbox.carry({"$set": changed}, news))
        return bool(done.modified_count)


def _event(document: Document) -> CatalogEvent:
    key: str = document["_id"]
    if document["removed"]:
        return CatalogItemRemoved(id=event_id(key, document["version"], "removed"), item=key)
    return KINDS[document["kind"]].model_validate(document["item"]).event(event_id(key, document["version"], "changed"))


def _digest(fields: Document) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
