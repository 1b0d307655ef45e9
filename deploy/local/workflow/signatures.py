"""Standard Webhooks signatures, as the world outside Reelway makes and checks them."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

_TOLERANCE_SECONDS = 300


def signature_headers(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """Return the three headers that sign `body` now."""
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{_digest(secret, message_id, timestamp, body)}",
    }


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether `headers` hold a fresh signature of `body` made with `secret` (any one of several is enough)."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > _TOLERANCE_SECONDS:
        return False
    expected = f"v1,{_digest(secret, message_id, timestamp, body)}"
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
