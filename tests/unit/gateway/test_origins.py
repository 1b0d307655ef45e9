"""Which pages may write with a cookie."""

import pytest

from services.gateway.origins import ForeignOriginError, Origins

ORIGINS = Origins("https://reelway.example.com", ["https://app.example.com"])


@pytest.mark.parametrize(
    ("origin", "fetch_site", "host"),
    [
        ("https://reelway.example.com", "same-origin", "gateway:8080"),
        ("https://app.example.com", "cross-site", "reelway.example.com"),
        ("http://127.0.0.1:8080", None, "127.0.0.1:8080"),
        (None, None, "reelway.example.com"),
        (None, "none", "reelway.example.com"),
        (None, "same-origin", "reelway.example.com"),
    ],
)
def test_may(origin: str | None, fetch_site: str | None, host: str) -> None:
    ORIGINS.check(method="POST", origin=origin, fetch_site=fetch_site, host=host)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "host"),
    [
        ("http://reelway.example.com", None, "gateway:8080"),
        ("https://reelway.example.com:444", None, "reelway.example.com"),
        ("https://evil.example.com", "same-origin", "reelway.example.com"),
        ("null", None, "reelway.example.com"),
        ("", None, "reelway.example.com"),
        ("http://[", None, "reelway.example.com"),
        (None, "cross-site", "reelway.example.com"),
        (None, "same-site", "reelway.example.com"),
    ],
)
def test_may_not(origin: str | None, fetch_site: str | None, host: str) -> None:
    with pytest.raises(ForeignOriginError):
        ORIGINS.check(method="DELETE", origin=origin, fetch_site=fetch_site, host=host)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_for_every_page(method: str) -> None:
    ORIGINS.check(method=method, origin="https://evil.example.com", fetch_site="cross-site", host="x")
