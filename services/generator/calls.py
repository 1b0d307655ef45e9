"""What the workflow engine is sent: the request's fields, the attempt's name, where to report, a proof of origin."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from services.generator.attempt import Attempt, Kind
from services.generator.n8n import Call
from shared.access.callback_urls import CallbackGrant, Purpose, callback_url
from shared.access.webhook_signatures import sign
from shared.wiring.tracing import current_traceparent


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the workflows are, how they know us, and where they reach the gateway."""

    urls: Mapping[Kind, str]
    public_url: str
    secret: str = field(repr=False)
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)

    def call_for(self, attempt: Attempt, callbacks_end_at: datetime) -> Call:
        """Return the signed call that starts `attempt`; its key is the same however often it is made."""
        key = attempt.call_key
        body = json.dumps(self._payload(attempt, callbacks_end_at), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Reelway",
            "Idempotency-Key": key,
            **sign(self.secret, key, int(time.time()), body),
            **self.auth,
        }
        traceparent = current_traceparent()
        if traceparent:
            headers["traceparent"] = traceparent
        return Call(self.urls[attempt.kind], body, headers)

    def _payload(self, attempt: Attempt, callbacks_end_at: datetime) -> dict[str, object]:
        payload: dict[str, object] = {
            **(attempt.fields or {}),
            "videoId": attempt.video_id,
            "requestId": attempt.request_id,
            "attempt": attempt.attempt,
            "callbacks": {
                purpose: callback_url(
                    self.public_url,
                    self.secret,
                    CallbackGrant(attempt.video_id, attempt.attempt, purpose),
                    callbacks_end_at,
                )
                for purpose in get_args(Purpose)
            },
        }
        if attempt.voice_id is not None:
            payload["voice_id"] = attempt.voice_id
        return payload
