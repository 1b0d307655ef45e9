"""Small real videos for tests, made with PyAV, and what is wrong with some of them."""

import io
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import islice

import av
from PIL import Image


@cache
def video(seconds: int = 2, width: int = 320, height: int = 180, container: str = "mp4") -> bytes:
    """Return a video with H.264 pictures (VP8 for webm), its index at the end where the format has one."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream("libvpx" if container == "webm" else "libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, picture in enumerate(islice(_pictures(width, height), seconds * 10)):
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return written.getvalue()


def _pictures(width: int, height: int) -> Iterator[Image.Image]:
    red = 0
    while True:
        yield Image.new("RGB", (width, height), (red % 256, 120, 200))
        red += 9


@cache
def sound() -> bytes:
    """Return an MP4 that holds no picture."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=44_100)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate, frame.pts = 44_100, 0
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return written.getvalue()


def padded(mp4: bytes, size_bytes: int) -> bytes:
    """Return the same video as a file of exactly `size_bytes`, filled up with a box players pass over."""
    gap = size_bytes - len(mp4)
    return mp4 + gap.to_bytes(4) + b"free" + bytes(gap - 8)
