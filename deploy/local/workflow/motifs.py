"""The shapes that move over a picture: waves, rings, blurred lights, beams, dots."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from deploy.local.workflow.canvas import Canvas, Colour, Stencil
from deploy.local.workflow.palette import Palette

Floats = NDArray[np.float32]

_ROOM_TO_PAN = 1.25


@dataclass(frozen=True)
class Layer:
    """A translucent shape larger than the frame that is seen through a moving window."""

    stencil: Stencil
    colour: Colour
    step: tuple[int, int]

    def paint(self, canvas: Canvas, number: int) -> None:
        """Draw the part seen in frame `number` of the scene; the window never leaves the stencil."""
        mask, half = self.stencil.mask, self.stencil.half
        left = _bounce(self.step[0] * number, mask.width - canvas.width)
        top = _bounce(self.step[1] * number, mask.height - canvas.height)
        window = mask.crop((left, top, left + canvas.width, top + canvas.height))
        left, top = left // 2, top // 2
        half_window = half.crop((left, top, left + canvas.width // 2, top + canvas.height // 2))
        canvas.paint(window, half_window, self.colour, (0, 0))


def _waves(palette: Palette, random: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    return [
        Layer(_wave_stencil(random, size, 0.62 + 0.11 * depth, 46 + 16 * depth), palette.lights[depth], (1 + depth, 0))
        for depth in range(3)
    ]


def _wave_stencil(random: np.random.Generator, size: tuple[int, int], level: float, alpha: int) -> Stencil:
    width, height = round(size[0] * _ROOM_TO_PAN), size[1]
    x = np.linspace(0, 2 * math.pi * _ROOM_TO_PAN, width, dtype=np.float32)
    swell = np.sin(1.2 * x + random.uniform(0, 6)) + 0.5 * np.sin(2.3 * x + random.uniform(0, 6))
    edge = height * (level + 0.07 * swell)
    depth = np.arange(height, dtype=np.float32)[:, None] - edge[None, :]
    fade = 1 - 0.6 * (depth / (height * 0.6)).clip(0, 1)
    return _stencil(depth.clip(0, 1) * alpha * fade)


def _rings(palette: Palette, random: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    x, y = _pan_grid(size)
    distance = np.hypot(x - random.uniform(0.75, 1.1) * size[0], y - random.uniform(0.1, 0.8) * size[1])
    pitch = size[1] / 9
    near = (1 - distance / (size[1] * 1.5)).clip(0, 1)
    bands = (np.abs((distance / pitch) % 1 - 0.5) * pitch).astype(np.float32)
    thin = (1.6 * size[1] / 720 + 0.6 - bands).clip(0, 1) * near * 120
    broad = ((distance / (pitch * 3)) % 1 < 0.5) * near * 26
    return [
        Layer(_stencil(broad), palette.lights[2], (1, 0)),
        Layer(_stencil(thin), palette.accent, (1, 1)),
    ]


def _bokeh(palette: Palette, random: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    return [
        Layer(_discs(random, size, 9, (0.05, 0.11), 34, 1.0), palette.lights[1], (1, 1)),
        Layer(_discs(random, size, 12, (0.02, 0.06), 60, 0.6), palette.lights[2], (0, 1)),
        Layer(_discs(random, size, 14, (0.006, 0.018), 150, 0.2), palette.accent, (2, 1)),
    ]


def _discs(
    random: np.random.Generator, size: tuple[int, int], count: int, radii: tuple[float, float], alpha: int, blur: float
) -> Stencil:
    mask = Image.new("L", _pan_size(size), 0)
    draw = ImageDraw.Draw(mask)
    for _ in range(count):
        radius = random.uniform(*radii) * size[1]
        x, y = random.uniform(0, mask.width), random.uniform(0, mask.height)
        strength = int(alpha * random.uniform(0.5, 1))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength // 2, outline=strength)
    return Stencil(mask.filter(ImageFilter.GaussianBlur(max(0.5, blur * size[1] / 180))))


def _beams(palette: Palette, random: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    x, y = _pan_grid(size)
    along = (x + y * random.uniform(0.5, 0.9)) / size[0]
    fade = (1 - y / (size[1] * 1.1)).clip(0.12, 1)
    wide = (np.sin(along * 9 + random.uniform(0, 6)) ** 2) ** 2 * fade * 70
    fine = (np.sin(along * 23 + random.uniform(0, 6)) ** 2) ** 5 * fade * 80
    return [
        Layer(_stencil(wide), palette.lights[1], (1, 0)),
        Layer(_stencil(fine), palette.lights[2], (2, 0)),
    ]


def _dots(palette: Palette, random: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    x, y = _pan_grid(size)
    pitch = size[1] / 16
    corner = np.hypot(x - random.uniform(0.9, 1.2) * size[0], y - random.choice([0.0, 1.0]) * size[1])
    radius = pitch * 0.42 * (1 - corner / (size[1] * 1.35)).clip(0, 1)
    distance = np.hypot((x % pitch) - pitch / 2, (y % pitch) - pitch / 2)
    mask = (radius - distance + 0.5).clip(0, 1) * (radius > 0.4)
    return [Layer(_stencil(mask * 95), palette.accent, (1, 0))]


def _pan_size(size: tuple[int, int]) -> tuple[int, int]:
    return round(size[0] * _ROOM_TO_PAN), round(size[1] * _ROOM_TO_PAN)


def _pan_grid(size: tuple[int, int]) -> tuple[Floats, Floats]:
    width, height = _pan_size(size)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x, y


def _stencil(values: NDArray[np.floating]) -> Stencil:
    return Stencil(Image.fromarray(values.clip(0, 255).astype(np.uint8)))


def _bounce(position: int, room: int) -> int:
    if room <= 0:
        return 0
    around = position % (2 * room)
    return around if around <= room else 2 * room - around


Motif = Callable[[Palette, np.random.Generator, tuple[int, int]], list[Layer]]

MOTIFS: tuple[Motif, ...] = (_waves, _rings, _bokeh, _beams, _dots)
"""Each makes its layers, back to front, from a palette, a source of chance and the size of the frame."""
