"""A real MP4 of any size: two seconds of H.264, and after them a `free` box that fills it up."""

import hashlib
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_BLOCK_BYTES = 1024 * 1024
_BOX_HEAD_BYTES = 8
_LARGEST_BOX = 2**32 - 1
_FRAMES_PER_SECOND, _SECONDS, _WIDTH, _HEIGHT = 25, 2, 320, 180


def write_video(file: Path, size_bytes: int) -> str:
    """Write a playable MP4 of exactly `size_bytes` and return its sha256 in hex. Raises ValueError if it can't be.

    The filling is random, so that no layer below can make it smaller.
    """
    _write_short(file)
    video = file.read_bytes()
    filling = size_bytes - len(video)
    if not _BOX_HEAD_BYTES <= filling <= _LARGEST_BOX:
        raise ValueError(f"a video of {len(video)} bytes can't be filled up to {size_bytes}")
    digest = hashlib.sha256(video)
    with file.open("ab") as out:
        for block in _free_box(filling):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def _free_box(size_bytes: int) -> Iterator[bytes]:
    yield struct.pack(">I4s", size_bytes, b"free")
    left = size_bytes - _BOX_HEAD_BYTES
    while left:
        block = os.urandom(min(left, _BLOCK_BYTES))
        yield block
        left -= len(block)


def _write_short(file: Path) -> None:
    with av.open(str(file), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, _FRAMES_PER_SECOND)
        for number in range(_FRAMES_PER_SECOND * _SECONDS):
            picture = np.full((_HEIGHT, _WIDTH, 3), (number * 5 % 256, 96, 160), dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
