"""Single-purpose callback URLs: whoever holds one may report on one purpose of one attempt, and nothing else.

The generator puts them into its call; the gateway believes them. Usable more than once, because n8n retries.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.access.webhook_signatures import signing_key

Purpose = Literal["complete", "error", "progress"]

PATHS: dict[Purpose, str] = {
    "complete": "/api/webhook/video-complete",
    "error": "/api/webhook/workflow-error",
    "progress": "/api/webhook/workflow-progress",
}


class CallbackTokenError(Exception):
    """The token is no token of ours, is for another purpose, or its time is over."""


@dataclass(frozen=True, slots=True)
class CallbackGrant:
    """What one callback URL allows: to report `purpose` of this attempt."""

    video_id: str
    attempt: int
    purpose: Purpose


def callback_url(public_url: str, secret: str, grant: CallbackGrant, expires_at: datetime) -> str:
    """Return the URL under the gateway's `public_url` that carries `grant` until `expires_at`."""
    claims = [grant.video_id, grant.attempt, grant.purpose, int(expires_at.timestamp())]
    payload = _b64(json.dumps(claims, separators=(",", ":")).encode())
    return f"{public_url.rstrip('/')}{PATHS[grant.purpose]}?token={payload}.{_mac(secret, payload)}"


def read_token(secrets: Sequence[str], token: str, purpose: Purpose, now: datetime) -> CallbackGrant:
    """Return what `token` grants for `purpose`. Raises CallbackTokenError."""
    payload, _, mac = token.partition(".")
    if not any(hmac.compare_digest(mac.encode(), _mac(secret, payload).encode()) for secret in secrets):
        raise CallbackTokenError("not signed by us")
    try:
        video_id, attempt, granted, expires = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error) as error:
        raise CallbackTokenError("unreadable") from error
    if granted != purpose:
        raise CallbackTokenError("for another purpose")
    if now.timestamp() > expires:
        raise CallbackTokenError("expired")
    return CallbackGrant(video_id, attempt, purpose)


def _mac(secret: str, payload: str) -> str:
    key = hmac.new(signing_key(secret), b"reelway callback url v1", hashlib.sha256).digest()
    return _b64(hmac.new(key, payload.encode(), hashlib.sha256).digest())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
