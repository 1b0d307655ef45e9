"""A frame as the encoder wants it: one plane of brightness, two of colour at half the size.

Painting straight into these planes costs a third of painting RGB and converting afterwards.
"""

from dataclasses import dataclass
from typing import Self

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
INK: Colour = (6, 8, 20)


class Stencil:
    """A shape to paint through: a mask (mode L, 255 covers fully) and the same at half size for the colours."""

    def __init__(self, mask: Image.Image) -> None:
        self.mask = mask
        self.half = mask.resize(((mask.width + 1) // 2, (mask.height + 1) // 2), Image.Resampling.BOX)

    @classmethod
    def rectangle(cls, width: int, height: int, alpha: int = 255) -> Self:
        """Return an evenly covering stencil."""
        return cls(Image.new("L", (max(1, width), max(1, height)), alpha))


@dataclass(frozen=True)
class Stamp:
    """A stencil with its colour and its place on the frame, in pixels."""

    stencil: Stencil
    colour: Colour
    left: int
    top: int

    def onto(self, canvas: "Canvas", alpha: float = 1.0, drop: int = 0) -> None:
        """Paint the stamp, weakened by `alpha` and moved down by `drop` pixels."""
        canvas.paint(self.stencil.mask, self.stencil.half, self.colour, (self.left, self.top + drop), alpha)


class Canvas:
    """One frame under work. Width and height are multiples of 4; colours are given as RGB and kept as BT.709."""

    def __init__(self, planes: tuple[Image.Image, Image.Image, Image.Image]) -> None:
        self._planes = planes
        self.width, self.height = planes[0].size

    @classmethod
    def enlarged(cls, coarse: NDArray[np.uint8], size: tuple[int, int]) -> Self:
        """Fill a canvas of `size` with a small RGB picture (rows, columns, 3), smoothly enlarged."""
        small = av.VideoFrame.from_ndarray(coarse, format="rgb24")
        large = small.reformat(
            *size, "yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=Interpolation.BICUBIC
        ).to_ndarray()
        chroma = large[size[1] :].reshape(2, size[1] // 2, size[0] // 2)
        return cls((Image.fromarray(large[: size[1]]), Image.fromarray(chroma[0]), Image.fromarray(chroma[1])))

    def paint(
        self, mask: Image.Image, half: Image.Image, colour: Colour, corner: tuple[int, int], alpha: float = 1.0
    ) -> None:
        """Cover what `mask` (and `half` of it, for the colours) shows with `colour`, its corner at `corner`."""
        if alpha <= 0:
            return
        luma, *chroma = _bt709(colour)
        self._planes[0].paste(luma, corner, _weakened(mask, alpha))
        weak_half = _weakened(half, alpha)
        for plane, value in zip(self._planes[1:], chroma, strict=True):
            plane.paste(value, (corner[0] // 2, corner[1] // 2), weak_half)

    def rectangle(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle; its edges land on even pixels as far as colour goes."""
        if width <= 0 or height <= 0:
            return
        luma, *chroma = _bt709(colour)
        self._planes[0].paste(luma, (left, top, left + width, top + height))
        half = (left // 2, top // 2, (left + width + 1) // 2, (top + height + 1) // 2)
        for plane, value in zip(self._planes[1:], chroma, strict=True):
            plane.paste(value, half)

    def mixed_with(self, other: "Canvas", share: float) -> "Canvas":
        """Return a canvas between this one (`share` 0) and `other` (`share` 1)."""
        mixed = [Image.blend(own, its, share) for own, its in zip(self._planes, other._planes, strict=True)]
        return Canvas((mixed[0], mixed[1], mixed[2]))

    def video_frame(self) -> av.VideoFrame:
        """Return the canvas as a yuv420p frame that can be encoded."""
        rows = [np.asarray(plane).reshape(-1, self.width) for plane in self._planes]
        return av.VideoFrame.from_ndarray(np.concatenate(rows), format="yuv420p")


def _bt709(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (channel / 255 for channel in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    blueness, redness = (blue - luma) / 1.8556, (red - luma) / 1.5748
    return round(16 + 219 * luma), round(128 + 224 * blueness), round(128 + 224 * redness)


def _weakened(mask: Image.Image, alpha: float) -> Image.Image:
    return mask if alpha >= 1 else mask.point([int(value * alpha) for value in range(256)])
