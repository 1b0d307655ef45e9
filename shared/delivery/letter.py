"""Dead letters as people look at them: what each says, what became of it, and which of them are meant."""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.letters import Origin, RawRecord, letter_name, origin_told, readable, told
from shared.contracts.topics import dead_letters
from shared.contracts.wire import UtcTime, Wire

State = Literal["open", "redriven", "discarded"]


class Letter(Wire):
    """One message that a service gave up, as of the last time it did."""

    id: str
    service: str
    state: State = "open"
    state_since: UtcTime | None = None
    reason: str
    error: str
    attempts: int
    """How often it was tried the last time."""
    times: int = 1
    """How often it was given up: after a redrive, or because its producer published it again."""
    redrives: int
    topic: str
    partition: int
    offset: int
    event_type: str | None = None
    event_id: str | None = None
    key: str
    size_bytes: int
    cut: bool = False
    """Only the beginning of its bytes is kept: they were more than any letter holds."""
    time: UtcTime | None = None
    place: tuple[int, int] = Field(exclude=True)
    """Partition and offset of the letter itself."""

    def shown(self) -> dict[str, Any]:
        """Return the letter as programs get it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Selection(Wire):
    """Which letters are meant: those that fit in every respect that is named."""

    ids: tuple[str, ...] = ()
    reason: str | None = None
    topic: str | None = None
    type: str | None = None
    event_id: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    state: Literal[State, "all"] = "open"

    @property
    def names_anything(self) -> bool:
        """Return whether this is narrower than everything in one state."""
        filters = (self.reason, self.topic, self.type, self.event_id, self.since, self.until)
        return bool(self.ids) or any(value is not None for value in filters)

    def fits(self, letter: Letter) -> bool:
        """Return whether the letter is meant."""
        wanted = {
            "reason": self.reason,
            "topic": self.topic,
            "event_type": self.type,
            "event_id": self.event_id,
            "state": None if self.state == "all" else self.state,
        }
        if any(value is not None and getattr(letter, name) != value for name, value in wanted.items()):
            return False
        return (not self.ids or letter.id in self.ids) and self._in_time(letter.time)

    def _in_time(self, time: datetime | None) -> bool:
        if time is None:
            return self.since is None and self.until is None
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


class Letters:
    """The letters of one service, made up from the records of its topic in their order."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._letters: dict[str, Letter] = {}

    def __iter__(self) -> Iterator[Letter]:
        """Return the letters, the one that came last at the end."""
        return iter(self._letters.values())

    def take(self, record: RawRecord) -> None:
        """Take the next record of the topic: a letter, or the mark of one that came before."""
        origin, ours = origin_told(record), told(record)
        if "dlq_mark" in ours:
            self._close(f"{self._service}:{ours.get('dlq_letter')}", origin.redrives, ours)
            return
        id_ = f"{self._service}:{letter_name(origin, record.value)}"
        letter = _letter(id_, self._service, origin, record)
        before = self._letters.pop(id_, None)
        if before is not None:
            letter = _again(before, letter)
        self._letters[id_] = letter

    def _close(self, id_: str, redrives: int, mark: Mapping[str, str]) -> None:
        known = self._letters.get(id_)
        # A redriven message may be given up again before its redrive has been noted down: then the mark is of the past.
        if known is not None and redrives >= known.redrives:
            since = _time(mark.get("dlq_time"))
            self._letters[id_] = known.model_copy(update={"state": mark["dlq_mark"], "state_since": since})


def _again(before: Letter, letter: Letter) -> Letter:
    """Return `letter` with what is known from `before`; open, unless it was discarded and nobody sent it back since."""
    known: dict[str, Any] = {"times": before.times + 1, "redrives": max(before.redrives, letter.redrives)}
    if before.state == "discarded" and letter.redrives <= before.redrives:
        known |= {"state": before.state, "state_since": before.state_since}
    return letter.model_copy(update=known)


def service_of(letter_id: str) -> str:
    """Return the service that a letter's id names."""
    return letter_id.partition(":")[0]


def whole(letter: Letter, record: RawRecord) -> dict[str, Any]:
    """Return a letter with the original's headers and body: as text where it is some, else in base64."""
    body = record.value or b""
    headers = [
        {"name": name, "value": (value or b"").decode(errors="backslashreplace")}
        for name, value in origin_told(record).headers
    ]
    try:
        content = {"body": body.decode()}
    except UnicodeDecodeError:
        content = {"bodyBase64": base64.b64encode(body).decode()}
    return {**letter.shown(), "headers": headers, **content}


def _letter(id_: str, service: str, origin: Origin, record: RawRecord) -> Letter:
    ours, theirs = told(record), readable(origin.headers)
    return Letter(
        id=id_,
        service=service,
        reason=ours.get("dlq_reason", "no_letter"),
        error=ours.get("dlq_error", f"A record of {dead_letters(service).name} that no service of ours wrote"),
        attempts=_number(ours.get("dlq_attempts")),
        redrives=origin.redrives,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        event_type=theirs.get("ce_type"),
        event_id=theirs.get("ce_id"),
        key=(record.key or b"").decode(errors="backslashreplace"),
        size_bytes=_number(ours.get("dlq_size")) or len(record.value or b""),
        cut="dlq_size" in ours,
        time=_time(ours.get("dlq_time")),
        place=(record.partition, record.offset),
    )


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else None


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
