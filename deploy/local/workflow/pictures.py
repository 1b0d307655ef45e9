"""The pictures behind the words: drifting light, and a moving motif per scene."""

import math

import numpy as np
from numpy.typing import NDArray

from deploy.local.workflow.canvas import Canvas, Colour
from deploy.local.workflow.motifs import MOTIFS
from deploy.local.workflow.palette import Palette

_COARSE_HEIGHT = 45


class Picture:
    """One scene's moving picture.

    `at(number, fps)` returns a new canvas of `size` for frame `number`; the same arguments give the
    same picture.
    """

    def __init__(self, palette: Palette, scene: int, size: tuple[int, int]) -> None:
        self._size = size
        self._random = np.random.default_rng([palette.seed, scene])
        self._drift = _Drift(palette, self._random, size[0] / size[1], zooms_in=scene % 2 == 0)
        motif = MOTIFS[(palette.seed + scene) % len(MOTIFS)]
        self._layers = motif(palette, self._random, size)

    def at(self, number: int, fps: int) -> Canvas:
        """Paint frame `number` of the scene, counted from 0."""
        canvas = Canvas.enlarged(self._drift.at(number / fps), self._size)
        for layer in self._layers:
            layer.paint(canvas, number)
        return canvas


class _Drift:
    """Soft lights wandering over a dark gradient while the view slowly zooms, painted small."""

    def __init__(self, palette: Palette, random: np.random.Generator, aspect: float, zooms_in: bool) -> None:
        width = round(_COARSE_HEIGHT * aspect)
        self._y, self._x = np.mgrid[-0.5 : 0.5 : _COARSE_HEIGHT * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
        self._aspect, self._zooms_in = aspect, zooms_in
        slope = (self._x + self._y + 1)[..., None] / 2
        vignette = 1 - 0.45 * (self._x**2 + self._y**2)
        self._ground = (_channels(palette.deep) * (1 - slope) + _channels(palette.dark) * slope) * vignette[..., None]
        self._lights = [_channels(colour) for colour in palette.lights]
        self._centres = random.uniform((-0.42, -0.5), (0.42, 0.5), size=(len(self._lights), 2))
        self._phases = random.uniform(0, 2 * math.pi, size=(len(self._lights), 2))
        self._radii = random.uniform(0.18, 0.34, size=len(self._lights))

    def at(self, seconds: float) -> NDArray[np.uint8]:
        """Return the picture (rows, columns, RGB) as it is `seconds` after the scene began."""
        zoom = 1 + (0.05 * seconds if self._zooms_in else max(0.0, 0.2 - 0.05 * seconds))
        field = self._ground
        for light, centre, phase, radius in zip(self._lights, self._centres, self._phases, self._radii, strict=True):
            x, y = (centre + (0.12, 0.22) * np.sin(0.7 * seconds + phase)) * zoom
            distance = ((self._x - x) * self._aspect) ** 2 + (self._y - y) ** 2
            strength = 0.8 * np.exp(-distance / (2 * (radius * zoom) ** 2)).astype(np.float32)
            field = field + (light - field) * strength[..., None]
        coarse: NDArray[np.uint8] = field.clip(0, 255).astype(np.uint8)
        return coarse


def _channels(colour: Colour) -> NDArray[np.float32]:
    return np.array(colour, dtype=np.float32)
