"""Which voice goes with which avatar."""

import hashlib
from collections.abc import Iterable


def voice_for(avatar_id: str, voice_ids: Iterable[str]) -> str | None:
    """Return one of `voice_ids`, always the same one for an avatar; None where there is none to choose from.

    Rendezvous hashing: avatars spread over the voices, and a new voice changes the choice of few avatars.
    """
    return max(
        voice_ids, key=lambda voice_id: hashlib.sha256(f"{avatar_id}\n{voice_id}".encode()).digest(), default=None
    )
