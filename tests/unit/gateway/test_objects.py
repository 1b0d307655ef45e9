"""Signed URLs: made without asking anyone, steady for a while, with a name people recognise."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from services.gateway.objects import STEADY, SignedUrls, disposition


def signer(endpoint: str = "https://media.example.com", life: timedelta = timedelta(hours=1)) -> SignedUrls:
    return SignedUrls(
        endpoint=endpoint, access_key="key", secret_key="secret", bucket="reelway", region="eu-west-1", life=life
    )


def test_it_is_for_the_public_address_and_its_region() -> None:
    signed = urlsplit(signer().show("videos/ann/1.mp4").url)
    assert (signed.scheme, signed.netloc, signed.path) == ("https", "media.example.com", "/reelway/videos/ann/1.mp4")
    assert "eu-west-1" in parse_qs(signed.query)["X-Amz-Credential"][0]


def test_it_is_steady() -> None:
    urls = signer()
    assert len({urls.show("videos/ann/1.mp4").url for _ in range(20)}) <= 2


@pytest.mark.parametrize("life", [timedelta(seconds=8), timedelta(hours=1), timedelta(days=7)])
def test_it_lasts_its_life_or_up_to_five_minutes_less(life: timedelta) -> None:
    signed = signer(life=life).show("videos/ann/1.mp4")
    left = signed.expires_at - datetime.now(UTC)
    second = timedelta(seconds=1)
    assert life - min(STEADY, life / 4) - second <= left <= life
    query = parse_qs(urlsplit(signed.url).query)
    begins = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert begins + timedelta(seconds=int(query["X-Amz-Expires"][0])) == signed.expires_at


@pytest.mark.parametrize("endpoint", ["media.example.com", "ftp://x", "http://x/path", ""])
def test_an_address_that_is_none(endpoint: str) -> None:
    with pytest.raises(ValueError, match="storage's address"):
        signer(endpoint)


@pytest.mark.parametrize(
    ("title", "plain", "encoded"),
    [
        ("A tour", "A tour.mp4", "A%20tour.mp4"),
        ('a/b\\c"; x="', "a b c x=.mp4", "a%20b%20c%20x%3D.mp4"),
        ("Größe", "Gre.mp4", "Gr%C3%B6%C3%9Fe.mp4"),
        ("東京", "video.mp4", "%E6%9D%B1%E4%BA%AC.mp4"),
        ("line\r\nSet-Cookie: a", "line Set-Cookie a.mp4", "line%20Set-Cookie%20a.mp4"),
        ("...", "video.mp4", "video.mp4"),
        ("tour.mp4", "tour.mp4", "tour.mp4"),
        ("x" * 300, f"{'x' * 100}.mp4", f"{'x' * 100}.mp4"),
    ],
)
def test_the_files_name(title: str, plain: str, encoded: str) -> None:
    said = disposition(title, "videos/ann/1.mp4")
    assert said == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    said.encode("ascii")
