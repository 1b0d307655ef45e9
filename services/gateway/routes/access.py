"""Who asks: the identity behind a request, by bearer token or by cookie."""

from fastapi import Request

from services.gateway.origins import Origins
from services.gateway.signing import Signer
from shared.access.access_tokens import AccessTokenError, Identity, token_in


class Access:
    """Tells who asks, and keeps foreign pages from writing with a user's cookies."""

    def __init__(self, signer: Signer, origins: Origins) -> None:
        self._signer = signer
        self._origins = origins

    async def identity(self, request: Request) -> Identity:
        """Return who asks. Raises AccessTokenError, ForeignOriginError, KeyNotLoadedError."""
        token, by_cookie = token_in(request.headers.get("authorization"), request.cookies)
        if token is None:
            raise AccessTokenError("no token")
        if by_cookie:
            self.check_origin(request)
        return self._signer.read(token)

    def check_origin(self, request: Request) -> None:
        """Raise ForeignOriginError where a foreign page makes a browser write."""
        headers = request.headers
        self._origins.check(
            method=request.method,
            origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            host=headers.get("host"),
        )


def address_of(request: Request) -> str:
    """Return where the request came from, as far as trusted proxies say (FORWARDED_ALLOW_IPS)."""
    return request.client.host if request.client else "unknown"
