"""Moves a file from its source into the bucket as one stream, measuring it on the way. For threads."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from services.media.domain import TroubleError
from services.media.fetch import Fetcher
from services.media.formats import SNIFF_BYTES, VideoFormat, sniff
from services.media.objects import ObjectMissingError, Objects, StorageAwayError, StoredObject
from services.media.source import VideoSource, not_a_video, too_large
from services.media.stopping import Stop, StoppedError
from services.media.storage_time import StorageTime
from services.media.timed_upload import TimedUpload
from services.media.uploads import Upload, open_upload
from shared.contracts.videos import FailureCode

BLOCK_BYTES = 256 * 1024

NO_VIDEO = "The file is not a video. MP4, MOV, WebM and Matroska files are taken."


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it lies in the bucket: size, hashes in hex, and the format its first bytes show."""

    size_bytes: int
    sha256: str
    md5: str
    format: VideoFormat


@dataclass(slots=True)
class Progress:
    """How far a transfer is; written by its thread, read by anyone."""

    transferred_bytes: int = 0
    size_bytes: int | None = None
    resumes: int = 0


class Transfers:
    """Fetches files into the bucket and reads what others put there. Every method blocks."""

    def __init__(self, fetcher: Fetcher, objects: Objects, time_of: StorageTime, *, most_bytes: int) -> None:
        self._fetcher = fetcher
        self._objects = objects
        self._time = time_of
        self._most_bytes = most_bytes

    def fetch(self, url: str, key: str, *, progress: Progress, stop: Stop, remember: Callable[[str], None]) -> Stored:
        """Store the file at `url` under `key`; where it is broken off, no such object is made.

        Raises HopelessError, TroubleError, StorageAwayError or StoppedError.
        """
        self._objects.ensure_bucket()  # a source is not read in vain while the storage is away
        source = VideoSource(self._fetcher, url, most_bytes=self._most_bytes, stop=stop)
        try:
            progress.size_bytes = source.size_bytes
            first = _first_block(source)
            found = _sniffed(first)
            with self._time.of("open", StoppedError):
                upload = open_upload(
                    self._objects,
                    key,
                    size_bytes=source.size_bytes,
                    content_type=found.content_type,
                    stop=stop,
                    remember=remember,
                )
            return _pour(first, source, TimedUpload(upload, self._time), progress).stored(found)
        finally:
            source.close()

    def examine(self, key: str, *, progress: Progress, stop: Stop) -> Stored:
        """Read the object at `key` through and return what it is.

        Raises HopelessError, StorageAwayError, ObjectMissingError or StoppedError.
        """
        size_bytes = self._objects.stat(key).size_bytes
        if size_bytes > self._most_bytes:
            raise too_large(self._most_bytes)
        progress.size_bytes = size_bytes
        digests = Digests()
        first = b""
        for block in self._objects.read(key):
            stop.check()
            first = first or block[:SNIFF_BYTES]
            digests.add(block)
            progress.transferred_bytes = digests.size_bytes
        if digests.size_bytes != size_bytes:
            raise StorageAwayError("read less than is stored")
        return digests.stored(_sniffed(first))

    def verify(self, key: str, sent: Stored) -> None:
        """Return where the bucket holds what was sent. Raises TroubleError or StorageAwayError."""
        try:
            found = self._objects.stat(key)
        except ObjectMissingError:
            found = StoredObject(0, None)
        if found.size_bytes != sent.size_bytes or found.plain_md5 not in (None, sent.md5):
            what = "The video could not be stored unharmed."
            raise TroubleError(FailureCode.TRANSFER_TIMEOUT, what, "Retry later.")


class Digests:
    """Length and hashes of what went through; MD5 only because that is what S3 answers with."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)

    def add(self, block: bytes) -> None:
        """Take the next block."""
        self.size_bytes += len(block)
        self.sha256.update(block)
        self.md5.update(block)

    def stored(self, found: VideoFormat) -> Stored:
        """Return what was taken as a file of format `found`."""
        return Stored(self.size_bytes, self.sha256.hexdigest(), self.md5.hexdigest(), found)


def _pour(first: bytes, source: VideoSource, upload: Upload, progress: Progress) -> Digests:
    digests = Digests()
    try:
        block = first
        while block:
            upload.send(block)
            digests.add(block)
            progress.transferred_bytes = digests.size_bytes
            block = source.read(BLOCK_BYTES)
            progress.resumes = source.resumes
        upload.finish()
    except BaseException:
        upload.abort()
        raise
    return digests


def _first_block(source: VideoSource) -> bytes:
    """Return the beginning of the file, long enough to tell its format."""
    first = b""
    while len(first) < SNIFF_BYTES and (block := source.read(BLOCK_BYTES)):
        first += block
    return first


def _sniffed(first: bytes) -> VideoFormat:
    found = sniff(first)
    if found is None:
        raise not_a_video(NO_VIDEO)
    return found
