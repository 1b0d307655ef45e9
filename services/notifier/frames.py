"""What goes over a live stream, as bytes: server-sent events as the HTML standard defines them."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.notifier.domain import Notification

UPDATE = "video-download-update"
HEARTBEAT = b":\n\n"


def frame(event: str, data: Mapping[str, Any], *, seq: int | None = None) -> bytes:
    """Return one event; with `seq` as its id a client resumes after it, without one its place stays as it was."""
    place = "" if seq is None else f"id: {seq}\n"
    return f"{place}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def update(notification: Notification) -> bytes:
    """Return a stored notification as an event."""
    return frame(UPDATE, notification.body, seq=notification.seq)


def retry(after: timedelta) -> bytes:
    """Return the hint how long a client waits before it comes back."""
    return b"retry: %d\n\n" % (after.total_seconds() * 1000)
