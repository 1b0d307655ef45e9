"""Which pages may write with a cookie: a browser sends cookies along for pages of others too."""

from collections.abc import Iterable
from urllib.parse import urlsplit

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOriginError(Exception):
    """A page that is neither ours nor allowed made a browser write."""


class Origins:
    """The pages that may: our own, wherever it is reached, and those of a setting."""

    def __init__(self, public_url: str, allowed: Iterable[str]) -> None:
        own = urlsplit(public_url)
        self._allowed = frozenset((*allowed, f"{own.scheme}://{own.netloc}"))

    def check(self, *, method: str, origin: str | None, fetch_site: str | None, host: str | None) -> None:
        """Check one request by its headers. Raises ForeignOriginError."""
        if method in _SAFE_METHODS:
            return
        if origin is None:
            # No page of another site sends none; where a browser leaves it out, this header still tells.
            fine = fetch_site in (None, "same-origin", "none")
        else:
            # Behind a proxy that ends TLS the scheme seen here is not the page's: hosts are what can be compared.
            fine = origin in self._allowed or (host is not None and origin.partition("://")[2].lower() == host.lower())
        if not fine:
            raise ForeignOriginError
