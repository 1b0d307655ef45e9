"""Who may send webhooks: whoever signs them, knows a shared secret, or holds a single-purpose callback URL."""

import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.access import webhook_signatures
from shared.access.callback_urls import CallbackGrant, CallbackTokenError, Purpose, read_token
from shared.access.webhook_signatures import SignatureError
from shared.contracts.wire import utc_now

SECRET_HEADER = "x-webhook-secret"  # noqa: S105 - the header's name; its value is in WEBHOOK_SECRETS


class NotAuthenticatedError(Exception):
    """None of the three ways was taken, or none held."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """How a webhook proved itself, and what a callback URL bound it to."""

    by: str
    grant: CallbackGrant | None = None


class WebhookAccess:
    """Any one way is enough; a callback URL that holds also binds what may be said."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets

    def authenticate(
        self, purpose: Purpose, token: str | None, headers: Mapping[str, str], body: bytes
    ) -> Authenticated:
        """Return how the webhook is authenticated. `headers` have lower-case names. Raises NotAuthenticatedError."""
        grant = self._granted(purpose, token)
        if grant is not None:
            return Authenticated("callback_url", grant)
        if self._signed(headers, body):
            return Authenticated("signature")
        if self._knows_secret(headers.get(SECRET_HEADER)):
            return Authenticated("secret")
        raise NotAuthenticatedError

    def _granted(self, purpose: Purpose, token: str | None) -> CallbackGrant | None:
        if token is None:
            return None
        try:
            return read_token(self._secrets, token, purpose, utc_now())
        except CallbackTokenError:
            return None

    def _signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            webhook_signatures.verify(self._secrets, headers, body, time.time())
        except SignatureError:
            return False
        return True

    def _knows_secret(self, given: str | None) -> bool:
        if not given:
            return False
        # Every secret is compared, so that the time tells nothing about which one is near.
        return any([hmac.compare_digest(given.encode(), secret.encode()) for secret in self._secrets])
