"""Who calls: a bearer token or the log-in cookie, verified with the gateway's published keys."""

from fastapi import Request

from services.notifier.jwks import KeysAwayError, PublishedKeys
from shared.access.access_tokens import AccessTokenError, Identity, key_id_of, token_in, verify
from shared.wiring.http import ApiError, unavailable


class Callers:
    """The dependency that routes ask for the caller."""

    def __init__(self, keys: PublishedKeys) -> None:
        self._keys = keys

    async def identify(self, request: Request) -> Identity:
        """Return who calls. Raises ApiError: 401 without a good token, 503 while that can't be known."""
        token, _ = token_in(request.headers.get("authorization"), request.cookies)
        if token is None:
            raise _unauthenticated()
        try:
            return verify(token, await self._keys.holding(key_id_of(token)))
        except AccessTokenError as error:
            raise _unauthenticated() from error
        except KeysAwayError as error:
            raise unavailable("The service can't check who you are right now.") from error


def _unauthenticated() -> ApiError:
    message = "You are not logged in, or your session has ended. Log in and try again."
    return ApiError(401, "UNAUTHENTICATED", message, headers={"WWW-Authenticate": "Bearer"})
