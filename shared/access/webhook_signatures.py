"""Standard Webhooks signatures (standardwebhooks.com, version 1): HMAC-SHA256 over id, timestamp and raw body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta

TOLERANCE = timedelta(minutes=5)


class SignatureError(Exception):
    """The signature headers are missing, too old, too new, or wrong."""


def signing_key(secret: str) -> bytes:
    """Return the HMAC key of `secret`: base64 after `whsec_`, else the text's own bytes."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("a secret that starts with whsec_ must go on in base64") from error
    return secret.encode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers that sign `body`; `timestamp` is in seconds since 1970."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{_digest(secret, message_id, str(timestamp), body)}",
    }


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check `headers` (lower-case names) against every secret in force. Raises SignatureError."""
    message_id, timestamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (message_id and timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12 and given):
        raise SignatureError("incomplete signature headers")
    if abs(now - int(timestamp)) > TOLERANCE.total_seconds():
        raise SignatureError("timestamp outside the tolerance")
    offered = [part.removeprefix("v1,").encode() for part in given.split(" ") if part.startswith("v1,")]
    expected = [_digest(secret, message_id, timestamp, body).encode() for secret in secrets]
    if not any(hmac.compare_digest(o, e) for o in offered for e in expected):
        raise SignatureError("no signature matches")


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()
