"""Who may use /admin: whoever brings the one secret that the service was started with."""

import hmac

from pydantic import SecretStr

SHORTEST = 16


class AdminSecret:
    """The admin's secret of this installation; without one nobody is admitted."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret.get_secret_value().encode()

    @property
    def is_set(self) -> bool:
        """Return whether there is a secret to bring."""
        return bool(self._secret)

    def admits(self, authorization: str | None) -> bool:
        """Return whether an Authorization header brings the secret as a bearer token, in time that tells nothing."""
        scheme, _, token = (authorization or "").partition(" ")
        brought = token.strip().encode()
        return self.is_set and scheme.lower() == "bearer" and hmac.compare_digest(brought, self._secret)
