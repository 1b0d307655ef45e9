"""Signed URLs of stored objects. Making one asks no server: it is arithmetic on the region and the keys."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from minio import Minio

STEADY = timedelta(minutes=5)
"""For so long (a quarter of a URL's life at most) an object keeps its URL: browsers need not load a poster twice."""


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A URL that works without further authentication until `expires_at`."""

    url: str
    expires_at: datetime


class SignedUrls:
    """Signs for the address at which browsers see the storage."""

    def __init__(
        self, *, endpoint: str, access_key: str, secret_key: str, bucket: str, region: str, life: timedelta
    ) -> None:
        address = urlsplit(endpoint)
        if address.scheme not in ("http", "https") or not address.netloc or address.path.strip("/"):
            raise ValueError(f"the storage's address must be http(s)://host[:port], not {endpoint}")
        self._client = Minio(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region=region,
        )
        self._bucket = bucket
        self._life = life
        self._steady_seconds = min(STEADY, life / 4).total_seconds()

    def show(self, key: str) -> SignedUrl:
        """Return a URL for the object as it is: to be played or shown."""
        return self._sign(key, {})

    def save(self, key: str, title: str) -> SignedUrl:
        """Return a URL that browsers save as a file named after `title`."""
        return self._sign(key, {"response-content-disposition": disposition(title, key)})

    def _sign(self, key: str, headers: dict[str, str | list[str] | tuple[str]]) -> SignedUrl:
        now = datetime.now(UTC).timestamp()
        signed_at = datetime.fromtimestamp(int(now - now % self._steady_seconds), UTC)
        url = self._client.presigned_get_object(
            self._bucket, key, expires=self._life, response_headers=headers, request_date=signed_at
        )
        return SignedUrl(url, signed_at + self._life)


def disposition(title: str, key: str) -> str:
    """Return the Content-Disposition that saves `key` under a name people recognise (RFC 6266)."""
    suffix = key.rpartition("/")[2].rpartition(".")[2] if "." in key.rpartition("/")[2] else "mp4"
    words = "".join(char if char.isprintable() and char not in '\\/:*?"<>|%;' else " " for char in title).split()
    name = " ".join(words).removesuffix(f".{suffix}")[:100].strip(" .") or "video"
    plain = " ".join(name.encode("ascii", "ignore").decode().split()) or "video"
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{quote(f'{name}.{suffix}', safe='')}"
