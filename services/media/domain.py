"""What media knows of a video, and the rules of its state: no framework, no connection."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.videos import FailureCode, may_be_a_setting, may_pass

ORDERS_PER_ATTEMPT = 1000
DELETED_ORDER = 10**12


class Rank(StrEnum):
    """Where an attempt stands."""

    TRANSFERRING = "transferring"
    FAILED = "failed"
    READY = "ready"
    CANCELLED = "cancelled"
    DELETED = "deleted"


_WITHIN_ATTEMPT = {Rank.TRANSFERRING: 50, Rank.FAILED: 90, Rank.READY: 95, Rank.CANCELLED: 99}


def order_of(attempt: int, rank: Rank) -> int:
    """Return the place of a state in the one order that states never go back in."""
    if rank is Rank.DELETED:
        return DELETED_ORDER
    return attempt * ORDERS_PER_ATTEMPT + _WITHIN_ATTEMPT[rank]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an attempt's file is: an address to fetch from, or the key of an object to adopt."""

    video_url: str | None = None
    s3_key: str | None = None

    @property
    def known(self) -> bool:
        """Return whether there is anything to move."""
        return bool(self.video_url or self.s3_key)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one video, as the event that began it describes it."""

    video_id: str
    user_id: str
    number: int
    title: str
    source: Source
    adopted: bool = False
    imported: bool = False
    """A user named the address: nothing was paid for the file, and the address may well be wrong."""


class TransferError(Exception):
    """A transfer ended without a video: `what` happened, and the `advice` for whoever named the address."""

    def __init__(self, code: FailureCode, what: str, advice: str = "") -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what
        self.advice = advice

    def message_for(self, attempt: Attempt) -> str:
        """Return what the owner reads: what happened and what to do. A rendered file's address nobody has chosen."""
        advice = self.advice if attempt.imported else f"Retry to have it {_again(self.code)}."
        return f"{self.what} {advice}".strip()


def _again(code: FailureCode) -> str:
    """Return what a retry does about a rendered file, as the gateway decides it."""
    if may_be_a_setting(code):
        return "fetched once more or, where that was done, rendered again"
    return "fetched again" if may_pass(code) else "rendered again"


class HopelessError(TransferError):
    """Another try would end the same way."""


class TroubleError(TransferError):
    """Another try may succeed. `what` happened is all there is to say while there are more tries."""


class UnreachableError(TroubleError):
    """The source gave not one byte of the file and no answer that says why, or next to nothing for too long."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(FailureCode.SOURCE_UNREACHABLE, what, advice)


class EndsEarlyError(TroubleError):
    """The source ended before the length it had announced, or in the middle of the file's own structure."""

    def __init__(self) -> None:
        super().__init__(
            FailureCode.SOURCE_INCOMPLETE,
            "The video file ends too early at its source.",
            "Check that it is complete there, then retry.",
        )


# --- keys -------------------------------------------------------------------------------------------------


def owner_prefix(user_id: str) -> str:
    """Return the prefix under which all objects of a user lie."""
    return f"videos/{user_id}/"


def claim_key(user_id: str, timestamp_ms: int) -> str:
    """Return the key that a claim made at `timestamp_ms` writes to."""
    return f"{owner_prefix(user_id)}{timestamp_ms}.mp4"


def poster_key(key: str) -> str:
    """Return the key of the poster of the video at `key`."""
    return f"{key.removesuffix('.mp4')}.jpg"


def adoptable(key: str, user_id: str) -> bool:
    """Return whether `key`, named by a workflow, can be believed to be a video of this user."""
    prefix = owner_prefix(user_id)
    parts = key.split("/")
    return (
        key.startswith(prefix)
        and len(key.encode()) <= 1024
        and key.isprintable()
        and "\\" not in key
        and not key.endswith(".jpg")  # posters: never a video, and written by this service
        and all(part not in ("", ".", "..") for part in parts)
    )


class Verdict(StrEnum):
    """What is to become of a claimed key."""

    KEEP = "keep"
    WAIT = "wait"
    ERASE = "erase"


def judge_claim(key: str, token: str, *, in_use: str | None, working: str | None, deleted: bool) -> Verdict:
    """Decide about a claim: `in_use` is the key the record names, `working` the token of the worker at it."""
    if deleted:
        return Verdict.ERASE
    if key == in_use:
        return Verdict.KEEP
    return Verdict.WAIT if token == working else Verdict.ERASE
