"""Passwords: argon2id, in threads, a few at a time, and no faster for accounts that don't exist."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 4

# What OWASP asks for where log-ins share a machine with everything else: 19 MiB, 2 rounds, 1 lane.
MEMORY_KIB, ROUNDS, LANES = 19 * 1024, 2, 1


class Passwords:
    """Makes and checks hashes without holding up the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._nobodys = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Return the hash to keep for `password`."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Return whether `password` is the one; None stands for no account and takes as long."""
        async with self._slots:
            right = await asyncio.to_thread(self._verify, password_hash or self._nobodys, password)
        return right and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
