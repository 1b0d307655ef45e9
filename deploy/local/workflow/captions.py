"""Words on pictures: wrapping, fitting, and lines of text that slide in and fade out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter
from PIL.ImageFont import FreeTypeFont

from deploy.local.workflow.canvas import INK, WHITE, Canvas, Stamp, Stencil
from deploy.local.workflow.fonts import Weight, drawable, font_for

Align = Literal["left", "centre"]

_LINE_SPACING = 1.28
_ENTER_SECONDS = 0.4
_LEAVE_SECONDS = 0.25
_STAGGER_SECONDS = 0.09


@dataclass(frozen=True)
class Box:
    """A rectangle of the frame, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Line:
    """One line of text and the soft shadow that keeps it readable on any picture."""

    words: Stamp
    shadow: Stamp


@dataclass(frozen=True)
class Block:
    """Lines of text that come in one after the other and leave together; `top` to `bottom` is what they fill."""

    lines: tuple[Line, ...]
    top: int
    bottom: int
    slides_in: bool = True

    def paint(self, canvas: Canvas, age_seconds: float, left_seconds: float) -> None:
        """Draw the block as it looks `age_seconds` after its scene began, `left_seconds` before its end."""
        leaving = ease(left_seconds / _LEAVE_SECONDS)
        for number, line in enumerate(self.lines):
            entered = ease((age_seconds - _STAGGER_SECONDS * number) / _ENTER_SECONDS) if self.slides_in else 1.0
            drop = round((1 - entered) * canvas.height / 30)
            line.shadow.onto(canvas, min(entered, leaving) * 0.8, drop)
            line.words.onto(canvas, min(entered, leaving), drop)


def ease(progress: float) -> float:
    """Smooth 0 → 1 (any value outside is clamped)."""
    clamped = min(1.0, max(0.0, progress))
    return clamped * clamped * (3 - 2 * clamped)


def wrap(text: str, font: FreeTypeFont, width: int) -> list[str]:
    """Break `text` into lines no wider than `width` pixels; a word that is wider by itself is cut in pieces."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.extend(_cut_word(word, font, width))
    return lines


def fit(text: str, box: Box, largest: int, smallest: int, weight: Weight = "Bold") -> tuple[FreeTypeFont, list[str]]:
    """Choose the largest font size at which `text` fits `box`; at the smallest, what is too much is left out."""
    size = max(largest, smallest)
    while True:
        font = font_for(text, size, weight)
        lines = wrap(drawable(text, font), font, box.width)
        room = max(1, int(box.height / (font.size * _LINE_SPACING)))
        if len(lines) <= room:
            return font, _balanced(lines, font, box.width)
        if size <= smallest:
            return font, [*lines[: room - 1], _with_ellipsis(lines[room - 1], font, box.width)]
        size = max(smallest, min(size - 1, int(size * 0.92)))


def block(text: str, box: Box, largest: int, smallest: int, align: Align = "left", slides_in: bool = True) -> Block:
    """Lay out `text` in the vertical middle of `box`."""
    font, lines = fit(text, box, largest, smallest)
    pitch = round(font.size * _LINE_SPACING)
    top = box.top + (box.height - pitch * len(lines)) // 2
    drawn = tuple(_line(words, font, box, top + pitch * number, align) for number, words in enumerate(lines))
    return Block(drawn, top=top, bottom=top + pitch * len(lines), slides_in=slides_in)


def one_line(text: str, font_size: int, width: int, weight: Weight = "Medium") -> tuple[FreeTypeFont, str]:
    """Return the font and as much of `text` as fits one line of `width` pixels."""
    font = font_for(text, font_size, weight)
    words = drawable(text, font)
    return font, words if font.getlength(words) <= width else _with_ellipsis(words, font, width)


def text_stencil(words: str, font: FreeTypeFont) -> Stencil:
    """Return the shape of one line of text."""
    mask = Image.new("L", (int(font.getlength(words)) + 2, round(font.size * 1.4)), 0)
    ImageDraw.Draw(mask).text((0, 0), words, fill=255, font=font)
    return Stencil(mask)


def _cut_word(word: str, font: FreeTypeFont, width: int) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and font.getlength(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _balanced(lines: Sequence[str], font: FreeTypeFont, width: int) -> list[str]:
    """Narrow the measure as long as the number of lines stays, so that no last word stands alone."""
    best = list(lines)
    for share in (0.9, 0.8, 0.7, 0.6, 0.5):
        narrower = wrap(" ".join(lines), font, int(width * share))
        if len(narrower) > len(lines) or " ".join(narrower) != " ".join(lines):
            break
        best = narrower
    return best


def _with_ellipsis(line: str, font: FreeTypeFont, width: int) -> str:
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"


def _line(words: str, font: FreeTypeFont, box: Box, top: int, align: Align) -> Line:
    padding = int(font.size / 2)
    length = int(font.getlength(words)) + 1
    mask = Image.new("L", (length + 2 * padding, round(font.size * _LINE_SPACING) + 2 * padding), 0)
    ImageDraw.Draw(mask).text((padding, padding), words, fill=255, font=font)
    blurred = mask.filter(ImageFilter.GaussianBlur(font.size / 9)).point(lambda value: min(255, int(value * 1.1)))
    left = box.left + ((box.width - length) // 2 if align == "centre" else 0) - padding
    nudge = max(1, round(font.size / 30))
    return Line(
        words=Stamp(Stencil(mask), WHITE, left, top - padding),
        shadow=Stamp(Stencil(blurred), INK, left, top - padding + nudge),
    )
