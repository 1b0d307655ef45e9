"""CloudEvents 1.0, binary mode on Kafka: attributes as `ce_` headers, the body as JSON.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.contracts.events import BY_TYPE, ENVELOPE, CatalogItemRemoved, Event
from shared.contracts.wire import iso

RawHeaders = tuple[tuple[str, bytes | None], ...]

UNKNOWN_TYPE = "unknown_type"
"""Why an event is given up that only a newer version can handle."""


class BadMessage(Exception):
    """A message that no repetition will make readable. `reason` is a short code for its dead letter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """One event as Kafka takes it."""

    topic: str
    key: bytes
    headers: dict[str, str]
    value: bytes | None
    raw_headers: RawHeaders = ()
    """Headers that go on as they came, beside the others: they may be null, or no text at all."""

    @property
    def all_headers(self) -> list[tuple[str, bytes | None]]:
        """Return the headers as clients take them."""
        return [*((name, value.encode()) for name, value in self.headers.items()), *self.raw_headers]


def encode(event: Event, source: str) -> Record:
    """Return `event` as a Kafka record; `source` is the service that publishes it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_type": type(event).__name__,
        "ce_source": f"/reelway/{source}",
        "ce_time": iso(event.time),
        "ce_subject": event.key(),
        "content-type": "application/json",
    }
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    if isinstance(event, CatalogItemRemoved):
        return Record(event.topic.name, event.key().encode(), headers, None)
    body = event.model_dump_json(by_alias=True, exclude=set(ENVELOPE), exclude_none=True)
    return Record(event.topic.name, event.key().encode(), headers, body.encode())


def decode(headers: Mapping[str, str], value: bytes | None) -> Event:
    """Return the event a record holds. Raises BadMessage where it can't be read as its type says."""
    cls = BY_TYPE.get(headers.get("ce_type", ""))
    if cls is None:
        raise BadMessage(UNKNOWN_TYPE, headers.get("ce_type", "no ce_type header"))
    envelope = {"id": headers.get("ce_id"), "traceparent": headers.get("traceparent")}
    if "ce_time" in headers:
        envelope["time"] = headers["ce_time"]
    try:
        return cls.model_validate({**_fields(cls, headers, value), **envelope})
    except ValidationError as error:
        raise BadMessage("unreadable_body", _without_input(error)) from error


def _fields(cls: type[Event], headers: Mapping[str, str], value: bytes | None) -> dict[str, Any]:
    if cls is CatalogItemRemoved:
        return {"item": headers.get("ce_subject")}
    try:
        fields = json.loads(value or b"")
    except (ValueError, RecursionError) as error:
        raise BadMessage("unreadable_json", str(error)) from error
    if not isinstance(fields, dict):
        raise BadMessage("unreadable_body", "the body is no JSON object")
    return fields


def _without_input(error: ValidationError) -> str:
    """Say which fields are wrong without repeating what they hold: scripts stay out of logs."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
