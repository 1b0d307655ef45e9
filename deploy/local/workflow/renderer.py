"""Renders a storyboard into an MP4 file: H.264 pictures and a quiet AAC tone bed, ready for streaming."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from deploy.local.workflow.canvas import Canvas
from deploy.local.workflow.frames import Film
from deploy.local.workflow.sound import SAMPLE_RATE, tone_bed
from deploy.local.workflow.storyboard import Storyboard

_AUDIO_CHUNK = 1024
_X264_SHORTCUTS = "cabac=1:deblock=1"
_BT709 = 1
_LIMITED_RANGE = 1


@dataclass(frozen=True)
class Rendered:
    """What came out: size of the file in bytes, length in seconds, picture size in pixels."""

    size_bytes: int
    duration_seconds: float
    width: int
    height: int


def render(board: Storyboard, path: Path, size: tuple[int, int], fps: int, report: Callable[[float], None]) -> Rendered:
    """Write the video of `board` to `path`; `report` hears the share done (0..1) about once per second of film.

    Blocks: a 10 s clip of 1280x720 takes a few seconds of one core. Both numbers of `size` are
    multiples of 4.
    """
    film = Film(board, size, fps)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["title"] = board.title
        picture = _video_stream(container, size, fps)
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=64_000)
        audio = _audio_frames(film.palette.seed, film.frame_count / fps)
        for number, canvas in enumerate(film.frames()):
            container.mux(picture.encode(_video_frame(canvas, number, fps)))
            if number % fps == 0:
                _mux_second(container, sound, audio)
                report(number / film.frame_count)
        for rest in audio:
            container.mux(sound.encode(rest))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    report(1.0)
    return Rendered(path.stat().st_size, round(film.frame_count / fps, 3), *size)


def _video_stream(
    container: av.container.OutputContainer, size: tuple[int, int], fps: int
) -> av.video.stream.VideoStream:
    # One thread: several renders share the machine with the services they are made for.
    options = {"preset": "ultrafast", "crf": "24", "threads": "1", "x264-params": _X264_SHORTCUTS}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.gop_size = fps * 2
    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709
    stream.codec_context.color_range = _LIMITED_RANGE
    return stream


def _video_frame(canvas: Canvas, number: int, fps: int) -> av.VideoFrame:
    frame = canvas.video_frame()
    frame.pts = number
    frame.time_base = Fraction(1, fps)
    return frame


def _audio_frames(seed: int, seconds: float) -> Iterator[av.AudioFrame]:
    samples = tone_bed(seed, seconds)
    for start in range(0, samples.shape[1], _AUDIO_CHUNK):
        chunk = np.ascontiguousarray(samples[:, start : start + _AUDIO_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield frame


def _mux_second(container: av.container.OutputContainer, sound: av.AudioStream, audio: Iterator[av.AudioFrame]) -> None:
    """Interleave about a second of sound, so that a player finds both tracks close together."""
    for _, frame in zip(range(SAMPLE_RATE // _AUDIO_CHUNK + 1), audio, strict=False):
        container.mux(sound.encode(frame))
