"""The colour scheme of a video, derived from its title."""

import colorsys
import hashlib
from dataclasses import dataclass

from deploy.local.workflow.canvas import Colour

_BRIGHTEST_LIGHT = 105


@dataclass(frozen=True)
class Palette:
    """The colours of one video, all of one family, and the seed they came from."""

    seed: int
    dark: Colour
    deep: Colour
    lights: tuple[Colour, Colour, Colour]
    accent: Colour


def palette_for(title: str) -> Palette:
    """Derive a colour scheme from a title: the same title always looks the same."""
    digest = hashlib.sha256(title.encode()).digest()
    # From teal over blue and violet to a warm red: the olive rest of the circle makes no good background.
    hue = 0.46 + 0.48 * int.from_bytes(digest[:2], "big") / 65536
    turn = (1 if digest[2] % 2 else -1) * (0.05 + digest[3] / 255 * 0.05)
    return Palette(
        seed=int.from_bytes(digest[4:8], "big"),
        dark=_colour(hue, 0.09, 0.60),
        deep=_colour(hue + turn, 0.20, 0.65),
        lights=(_light(hue, 0.68), _light(hue + turn, 0.64), _light(hue + 2 * turn, 0.64)),
        accent=_colour(hue + 0.5 + turn, 0.64, 0.90),
    )


def _light(hue: float, saturation: float) -> Colour:
    """Return a strong colour that is never so bright that white words would drown in it."""
    red, green, blue = _colour(hue, 0.44, saturation)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    share = min(1.0, _BRIGHTEST_LIGHT / luma)
    return round(red * share), round(green * share), round(blue * share)


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
