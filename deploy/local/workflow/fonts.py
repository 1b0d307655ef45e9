"""The typeface of the captions, and what becomes of characters it has no picture for.

Pillow's own font knows little beyond ASCII, so Manrope (Latin, Greek, Cyrillic; a package of the engines
set) comes first, then whatever of the usual system fonts covers more of a text, Pillow's last.
"""

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

Weight = Literal["Bold", "Medium"]

_SYSTEM_FONTS = ("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "NotoSansCJK-Bold.ttc", "Arial Unicode.ttf")
_NEVER_ASSIGNED = "\U000f0000"
_SPELLED_OUT = {
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "ı": "i", "–": "-", "—": "-", "−": "-", "„": '"', "“": '"', "”": '"', "‘": "'", "’": "'", "‚": "'", "•": "·",
    "→": ">", "←": "<", "✓": "+", "★": "*", "€": "EUR", "£": "GBP", "×": "x", "÷": "/", "≤": "<=", "≥": ">=",
}  # fmt: skip


def font_for(text: str, size: int, weight: Weight = "Bold") -> FreeTypeFont:
    """Return the first font that can draw all of `text`, or the one that lacks the fewest characters."""
    candidates = [_load(name, size) for name in _available(weight)]
    return min(candidates, key=lambda font: len(missing(text, font)))


def drawable(text: str, font: FreeTypeFont) -> str:
    """Return `text` with every character that `font` lacks replaced by its nearest plain spelling.

    Accents fall off, known letters and signs are spelled out, symbols such as emoji vanish, and letters
    of a script the font does not know become middle dots, so no empty boxes are drawn.
    """
    composed = unicodedata.normalize("NFC", text)
    lacking = missing(composed, font)
    plain = "".join(_plain(char, font) if char in lacking else char for char in composed)
    return " ".join(plain.split())


def missing(text: str, font: FreeTypeFont) -> frozenset[str]:
    """Characters of `text` (white space apart) for which `font` would draw its empty box."""
    return frozenset(char for char in set(text) if not char.isspace() and not _has(font, char))


def _plain(char: str, font: FreeTypeFont) -> str:
    if (
        unicodedata.category(char) in {"So", "Sk", "Cs", "Co", "Cn", "Cf", "Cc", "Mn", "Me"}
        and char not in _SPELLED_OUT
    ):
        return ""
    spelled = _SPELLED_OUT.get(char) or _without_accents(char)
    return spelled if spelled and not missing(spelled, font) else "·"


def _without_accents(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char)
    return "".join(part for part in decomposed if not unicodedata.combining(part))


@cache
def _available(weight: Weight) -> tuple[str, ...]:
    return tuple(name for name in (_manrope(weight), *_SYSTEM_FONTS, "") if name is not None and _opens(name))


def _manrope(weight: Weight) -> str | None:
    spec = find_spec("font_manrope")
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "files" / f"Manrope-{weight}.ttf")


def _opens(name: str) -> bool:
    try:
        _load(name, 16)
    except OSError:
        return False
    return True


@cache
def _load(name: str, size: int) -> FreeTypeFont:
    if name:
        return ImageFont.truetype(name, size)
    built_in = ImageFont.load_default(size)
    if not isinstance(built_in, FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install a wheel that has it")
    return built_in


@cache
def _picture(font: FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


def _has(font: FreeTypeFont, char: str) -> bool:
    return _picture(font, char) != _picture(font, _NEVER_ASSIGNED)
