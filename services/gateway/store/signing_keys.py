"""`keys`: the one key pair that signs access tokens, made by whichever replica starts first."""

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document

_ID = "access-tokens"


class SigningKeys:
    """Every query on `keys`."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def agree_on(self, candidate_pem: str) -> str:
        """Return the private key in force: `candidate_pem` where there was none, else the one all others use."""
        try:
            await self._collection.insert_one({"_id": _ID, "privatePem": candidate_pem, "createdAt": utc_now()})
        except DuplicateKeyError:
            document = await self._collection.find_one({"_id": _ID})
            return str(document["privatePem"]) if document else candidate_pem
        return candidate_pem

    async def stored(self) -> str | None:
        """Return the private key in force, if one was made."""
        document = await self._collection.find_one({"_id": _ID})
        return str(document["privatePem"]) if document else None
