"""The bucket: what media asks of any S3 storage, and how it is asked with the minio SDK.

Everything here blocks and belongs into threads. What streams into the bucket is in uploads.py.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from services.media.storage_time import StorageTime

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 20.0
READ_BYTES = 1024 * 1024
URL_LIFE = timedelta(hours=6)

_MISSING = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound", "NoSuchUpload"})
_UNLISTED = frozenset({"AccessDenied", "MethodNotAllowed", "NotImplemented"})
_USABLE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class StorageAwayError(Exception):
    """The storage can't serve this now; it may later."""


class ObjectMissingError(Exception):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the storage says of an object; `plain_md5` is None where its ETag is something else than that."""

    size_bytes: int
    plain_md5: str | None


class Objects(Protocol):
    """The objects of one bucket. Every method raises StorageAwayError where the storage can't serve."""

    def ensure_bucket(self) -> None:
        """Make the bucket where it is missing; return when it can be used."""

    def stat(self, key: str) -> StoredObject:
        """Return what is known of an object. Raises ObjectMissingError."""

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a small object."""

    def read(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes. Raises ObjectMissingError."""

    def first_bytes(self, key: str) -> bytes:
        """Return an object's first bytes, up to READ_BYTES. Raises ObjectMissingError."""

    def erase(self, key: str) -> None:
        """Delete an object; one that does not exist is fine."""

    def uploads_to(self, key: str) -> list[str]:
        """Return the ids of unfinished uploads, also of one whose id never arrived here."""

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop the parts of an unfinished upload; one that does not exist is fine."""

    def signed(self, method: str, key: str, query: dict[str, str] | None = None) -> str:
        """Return a URL that allows `method` on `key` for some hours; asks nobody."""


class S3Objects:
    """`Objects` in an S3 storage. `endpoint` is a URL; proxies from the environment are not used."""

    def __init__(
        self, time_of: StorageTime, *, endpoint: str, access_key: str, secret_key: str, region: str, bucket: str
    ) -> None:
        parts = urlsplit(endpoint)
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
            retries=urllib3.Retry(total=1, redirect=0, backoff_factor=0.1),
            maxsize=16,
        )
        self._time = time_of
        self._bucket = bucket
        self._client = Minio(
            parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=parts.scheme == "https",
            region=region,
            http_client=pool,
        )

    def ensure_bucket(self) -> None:
        """Make the bucket where it is missing; return when it can be used."""
        with self._asking("bucket"):
            if self._client.bucket_exists(self._bucket):
                return
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in _USABLE:  # somebody else was quicker
                    raise

    def stat(self, key: str) -> StoredObject:
        """Return what is known of an object. Raises ObjectMissingError."""
        with self._asking("stat"):
            found = self._client.stat_object(self._bucket, key)
        etag = (found.etag or "").strip('"').lower()
        # With keys of its own (SSE-KMS, SSE-C) S3 gives an ETag that looks like an MD5 and is none.
        sealed = (found.metadata or {}).get("x-amz-server-side-encryption", "AES256") != "AES256"
        plain = len(etag) == 32 and not sealed
        return StoredObject(int(found.size or 0), etag if plain else None)

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a small object."""
        with self._asking("put"):
            self._client.put_object(self._bucket, key, BytesIO(content), len(content), content_type)

    def read(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes. Raises ObjectMissingError."""
        with self._asking("get"):
            response = self._client.get_object(self._bucket, key)
        with _translated():  # its reader may take its time, so this is not measured
            try:
                yield from response.stream(READ_BYTES)
            finally:
                response.close()

    def first_bytes(self, key: str) -> bytes:
        """Return an object's first bytes, up to READ_BYTES. Raises ObjectMissingError."""
        with self._asking("get"):
            response = self._client.get_object(self._bucket, key, length=READ_BYTES)
            try:
                return bytes(response.read())
            finally:
                response.close()

    def erase(self, key: str) -> None:
        """Delete an object; one that does not exist is fine."""
        with contextlib.suppress(ObjectMissingError), self._asking("delete"):
            self._client.remove_object(self._bucket, key)

    def uploads_to(self, key: str) -> list[str]:
        """Return the ids of unfinished uploads, none where the storage lists no uploads or not for us."""
        with self._asking("uploads"):
            try:
                found = self._client._list_multipart_uploads(self._bucket, prefix=key)
            except S3Error as error:
                if error.code in _UNLISTED:
                    return []
                raise
        return [str(upload.upload_id) for upload in found.uploads if upload.object_name == key]

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop the parts of an unfinished upload; one that does not exist is fine."""
        url = self.signed("DELETE", key, {"uploadId": upload_id})
        with self._asking("abort"):
            answer = urllib3.request("DELETE", url, timeout=ANSWER_SECONDS, retries=False)
            if answer.status not in (204, 404):
                raise StorageAwayError(f"abort answered {answer.status}")

    def signed(self, method: str, key: str, query: dict[str, str] | None = None) -> str:
        """Return a URL that allows `method` on `key` for some hours; asks nobody."""
        return self._client.get_presigned_url(
            method, self._bucket, key, expires=URL_LIFE, extra_query_params=dict(query) if query else None
        )

    @contextlib.contextmanager
    def _asking(self, operation: str) -> Iterator[None]:
        with self._time.of(operation, ObjectMissingError), _translated():
            yield


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissingError(error.object_name) from error
        raise StorageAwayError(error.code) from error
    except (MinioException, HTTPError, OSError) as error:
        raise StorageAwayError(type(error).__name__) from error
