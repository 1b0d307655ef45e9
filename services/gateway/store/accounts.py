"""`users` and `sessions`: who has an account, and which log-ins are alive."""

from dataclasses import dataclass
from datetime import datetime

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document


class EmailTakenError(Exception):
    """There is an account with this address."""


@dataclass(frozen=True, slots=True)
class Account:
    """One person. `password_hash` is argon2's own text."""

    user_id: str
    email: str
    name: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in. Only hashes of its refresh token are kept: of the current one and of the one before."""

    session_id: str
    user_id: str
    secret_hash: str
    previous_hash: str | None
    rotated_at: datetime
    expires_at: datetime


class Accounts:
    """Every query on `users`. Addresses are compared without regard to case."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the index that keeps addresses unique and finds them."""
        await self._collection.create_index("emailKey", unique=True)

    async def add(self, account: Account) -> None:
        """Store a new account. Raises EmailTakenError."""
        document = {
            "_id": account.user_id,
            "email": account.email,
            "emailKey": email_key(account.email),
            "name": account.name,
            "passwordHash": account.password_hash,
            "createdAt": utc_now(),
        }
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError as error:
            raise EmailTakenError from error

    async def with_email(self, email: str) -> Account | None:
        """Return the account of this address."""
        return _account(await self._collection.find_one({"emailKey": email_key(email)}))

    async def find(self, user_id: str) -> Account | None:
        """Return the account with this id."""
        return _account(await self._collection.find_one({"_id": user_id}))

    async def set_password(self, user_id: str, password_hash: str) -> None:
        """Replace the password."""
        await self._collection.update_one({"_id": user_id}, {"$set": {"passwordHash": password_hash}})


class Sessions:
    """Every query on `sessions`."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the index that lets ended sessions go."""
        await self._collection.create_index("expiresAt", expireAfterSeconds=0)

    async def add(self, session: Session) -> None:
        """Store a new log-in."""
        await self._collection.insert_one(
            {
                "_id": session.session_id,
                "userId": session.user_id,
                "secretHash": session.secret_hash,
                "rotatedAt": session.rotated_at,
                "expiresAt": session.expires_at,
            }
        )

    async def alive(self, session_id: str) -> Session | None:
        """Return the session while it lasts."""
        document = await self._collection.find_one({"_id": session_id})
        if document is None or document["expiresAt"] <= utc_now():
            return None
        return Session(
            session_id=document["_id"],
            user_id=document["userId"],
            secret_hash=document["secretHash"],
            previous_hash=document.get("previousHash"),
            rotated_at=document["rotatedAt"],
            expires_at=document["expiresAt"],
        )

    async def rotate(self, session: Session, secret_hash: str, expires_at: datetime) -> bool:
        """Give the session a new refresh secret; False where another request did so first."""
        unchanged = {"_id": session.session_id, "secretHash": session.secret_hash}
        values = {
            "secretHash": secret_hash,
            "previousHash": session.secret_hash,
            "rotatedAt": utc_now(),
            "expiresAt": expires_at,
        }
        return bool((await self._collection.update_one(unchanged, {"$set": values})).modified_count)

    async def end(self, session_id: str) -> None:
        """Forget the session: nothing of it can be refreshed any more."""
        await self._collection.delete_one({"_id": session_id})


def email_key(email: str) -> str:
    """Return the form of an address by which accounts are told apart."""
    return email.strip().casefold()


def _account(document: Document | None) -> Account | None:
    if document is None:
        return None
    return Account(document["_id"], document["email"], document["name"], document["passwordHash"])
