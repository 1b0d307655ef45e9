"""Inserting where the connection may break between the write and its answer."""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, DuplicateKeyError, ServerSelectionTimeoutError

Document = dict[str, Any]


async def insert_through(collection: AsyncCollection[Document], document: Document, *, mark: str) -> None:
    """Insert `document`; a write that was cut off is tried once more, and may turn out to have been ours already.

    `mark` is a field that no other document with the same _id shares. Raises DuplicateKeyError where another's
    document is in the way, and what pymongo raises where the database stays away.
    """
    try:
        await collection.insert_one(document)
    except ServerSelectionTimeoutError:
        raise  # nothing was sent, and waiting once more would only make the caller wait
    except AutoReconnect:
        try:
            await collection.insert_one(document)
        except DuplicateKeyError:
            if await collection.find_one({"_id": document["_id"], mark: document[mark]}, {"_id": 1}) is None:
                raise
