"""Which files count as videos, told by their first bytes: names and content types can lie."""

from dataclasses import dataclass

SNIFF_BYTES = 64


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A container format: its name, its content type, and the one demuxer that may read it."""

    name: str
    content_type: str
    demuxer: str


MP4 = VideoFormat("mp4", "video/mp4", "mov")
MOV = VideoFormat("mov", "video/quicktime", "mov")
WEBM = VideoFormat("webm", "video/webm", "matroska")
MATROSKA = VideoFormat("mkv", "video/x-matroska", "matroska")

_EBML = b"\x1a\x45\xdf\xa3"
_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


def sniff(first: bytes) -> VideoFormat | None:
    """Return the format of a file that begins with `first`, or None where it is no video this system plays."""
    box = first[4:8]
    if box == b"ftyp":
        return MOV if first[8:12] == b"qt  " else MP4
    if box in _QUICKTIME_BOXES:
        return MOV
    if first.startswith(_EBML):
        return WEBM if b"webm" in first[:SNIFF_BYTES] else MATROSKA
    return None
