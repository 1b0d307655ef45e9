"""Dead letters as Kafka records: how one is written, how it comes back to its service, how it is closed.

A letter keeps the original's key and bytes; its headers stand beside ours as `original_<name>`, as they came. Its
redrive, on a topic that only its service listens to, does the same. What was decided about it is a mark that follows it
on its own topic, where nothing can be changed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shared.contracts.cloudevents import RawHeaders, Record
from shared.contracts.topics import dead_letters, is_redrive, redrives
from shared.contracts.wire import iso, utc_now

ORIGINAL = "original_"
LONGEST_ERROR = 1000
CUT_BYTES = 64 * 1024

Mark = Literal["redriven", "discarded"]


class RawRecord(Protocol):
    """A record as it came from Kafka."""

    @property
    def topic(self) -> str:
        """Its topic."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def offset(self) -> int:
        """Its place there."""

    @property
    def key(self) -> bytes | None:
        """What keeps it in order."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Whatever its producer put there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message first stood, what its headers were there, and how often it was redriven since."""

    topic: str
    partition: int
    offset: int
    headers: RawHeaders = ()
    redrives: int = 0
    paid_work_allowed: bool = False
    """Said by the person who redrives it; means nothing for a message that was not redriven."""


def letter_name(origin: Origin, value: bytes | None) -> str:
    """Return what tells a message from every other one: 16 characters, the same ones when it is published again.

    So the letters of an event that its producer repeats until it is answered are one letter. Where no id can be read,
    the place where the message stood makes the difference.
    """
    id_ = readable(origin.headers).get("ce_id")
    place = f"{origin.partition}:{origin.offset}".encode()
    parts = (origin.topic.encode(), place) if id_ is None else (origin.topic.encode(), id_.encode(), value or b"")
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def readable(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return the headers as text; none at all where one of them can't be read."""
    found: dict[str, str] = {}
    for name, value in headers:
        if value is None or not _is_text(name):
            return {}
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            return {}
    return found


def told(record: RawRecord) -> dict[str, str]:
    """Return our own headers of a letter, a redrive or a mark; what was the original's is left out."""
    return {
        name: (value or b"").decode(errors="backslashreplace")
        for name, value in record.headers
        if not name.startswith(ORIGINAL)
    }


def origin_of(record: RawRecord) -> Origin:
    """Return where the message of a record first stood: here, unless the record is a redrive."""
    if is_redrive(record.topic):
        return origin_told(record)
    return Origin(record.topic, record.partition, record.offset, tuple(record.headers))


def origin_told(record: RawRecord) -> Origin:
    """Return the origin that a letter, a redrive or a mark names; its own place where it names none."""
    ours = told(record)
    headers = tuple((n.removeprefix(ORIGINAL), v) for n, v in record.headers if n.startswith(ORIGINAL))
    try:
        return Origin(
            topic=ours["dlq_topic"],
            partition=int(ours["dlq_partition"]),
            offset=int(ours["dlq_offset"]),
            headers=headers,
            redrives=int(ours.get("dlq_redrives", 0)),
            paid_work_allowed=ours.get("redrive_paid_work") == "allowed",
        )
    except (KeyError, ValueError):
        return Origin(record.topic, record.partition, record.offset, tuple(record.headers))


def dead_letter(service: str, record: RawRecord, *, reason: str, error: BaseException, attempts: int) -> Record:
    """Return the letter in which `service` gives a record up: for people."""
    origin = origin_of(record)
    headers = {
        **_naming(origin),
        "dlq_redrives": str(origin.redrives),
        "dlq_reason": reason,
        "dlq_error": repr(error)[:LONGEST_ERROR],
        "dlq_handler": service,
        "dlq_attempts": str(attempts),
    }
    return Record(dead_letters(service).name, record.key or b"", headers, record.value, _originals(origin))


def cut(letter: Record) -> Record:
    """Return of a letter that no broker takes whole what people can look at; its message stands where the letter says.

    Only a record that came compressed can be so large, and none of ours is.
    """
    headers = {**letter.headers, "dlq_size": str(len(letter.value or b""))}
    beginning = (letter.value or b"")[:CUT_BYTES]
    return Record(letter.topic, letter.key[:LONGEST_ERROR], headers, beginning)


def redrive(service: str, letter: RawRecord, *, allow_paid_work: bool) -> Record:
    """Return the record that brings a letter's message back to `service`, and to nobody else."""
    origin = origin_told(letter)
    headers = {**_naming(origin), "dlq_redrives": str(origin.redrives + 1)}
    if allow_paid_work:
        headers["redrive_paid_work"] = "allowed"
    return Record(redrives(service).name, letter.key or b"", headers, letter.value, _originals(origin))


def closing(service: str, letter: RawRecord, mark: Mark) -> Record:
    """Return the record that says on the letter's own topic what became of it."""
    origin = origin_told(letter)
    headers = {
        **_naming(origin),
        "dlq_redrives": str(origin.redrives),
        "dlq_mark": mark,
        "dlq_letter": letter_name(origin, letter.value),
    }
    return Record(dead_letters(service).name, letter.key or b"", headers, None)


def _naming(origin: Origin) -> dict[str, str]:
    return {
        "dlq_topic": origin.topic,
        "dlq_partition": str(origin.partition),
        "dlq_offset": str(origin.offset),
        "dlq_time": iso(utc_now()),
    }


def _originals(origin: Origin) -> RawHeaders:
    return tuple((f"{ORIGINAL}{_sendable(name)}", value) for name, value in origin.headers)


def _is_text(name: str) -> bool:
    return name == _sendable(name)


def _sendable(name: str) -> str:
    """Return a header's name with what is no text in it (lone surrogates) written as escapes."""
    return name.encode(errors="backslashreplace").decode()
