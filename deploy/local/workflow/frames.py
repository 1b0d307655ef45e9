"""Puts a film together: pictures, captions, lower third and progress bar, one frame after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from PIL.ImageFont import FreeTypeFont

from deploy.local.workflow.canvas import INK, WHITE, Canvas, Colour, Stamp, Stencil
from deploy.local.workflow.captions import Block, Box, block, ease, one_line, text_stencil
from deploy.local.workflow.palette import Palette, palette_for
from deploy.local.workflow.pictures import Picture
from deploy.local.workflow.storyboard import Scene, Storyboard

_CROSS_FADE_SECONDS = 0.5
_MARGIN = 0.065
_PALE: Colour = (222, 226, 238)


@dataclass(frozen=True)
class _Shot:
    picture: Picture
    words: Block
    scene: Scene
    first: int
    last: int


class Film:
    """All frames of one storyboard.

    `frames()` yields canvases of `size`, `frame_count` of them, at `fps` frames a second.
    """

    def __init__(self, board: Storyboard, size: tuple[int, int], fps: int) -> None:
        self.palette = palette_for(board.title)
        self._board, self._size, self._fps = board, size, fps
        self._bounds = _bounds(board, fps)
        self.frame_count = self._bounds[-1]
        self._lower_third = _lower_third(board, size, self.palette)

    def frames(self) -> Iterator[Canvas]:
        """Paint the film; each canvas is new and belongs to the caller."""
        before: _Shot | None = None
        for number, (first, last) in enumerate(pairwise(self._bounds)):
            shot = self._shot(number, first, last)
            for at in range(first, last):
                canvas = self._picture(shot, before, at)
                self._write_on(canvas, shot, at)
                yield canvas
            before = shot

    def _picture(self, shot: _Shot, before: _Shot | None, at: int) -> Canvas:
        """Paint the picture behind the words; for the first half second the one before shows through."""
        canvas = shot.picture.at(at - shot.first, self._fps)
        share = (at - shot.first + 1) / (_CROSS_FADE_SECONDS * self._fps)
        if before is None or share >= 1:
            return canvas
        return before.picture.at(at - before.first, self._fps).mixed_with(canvas, ease(share))

    def _shot(self, number: int, first: int, last: int) -> _Shot:
        scene = self._board.scenes[number]
        words = _title_block(scene.text, self._size) if scene.title else _caption_block(scene.text, self._size)
        return _Shot(Picture(self.palette, number, self._size), words, scene, first, last)

    def _write_on(self, canvas: Canvas, shot: _Shot, at: int) -> None:
        age, left = (at - shot.first) / self._fps, (shot.last - at) / self._fps
        _paint_stroke(canvas, shot, self.palette, age, left)
        shot.words.paint(canvas, age, left)
        for stamp in self._lower_third:
            stamp.onto(canvas)
        _paint_progress(canvas, (at + 1) / self.frame_count, self.palette)


def _bounds(board: Storyboard, fps: int) -> list[int]:
    bounds, elapsed = [0], 0.0
    for scene in board.scenes:
        elapsed += scene.seconds
        bounds.append(max(bounds[-1] + 1, round(elapsed * fps)))
    return bounds


def _title_block(text: str, size: tuple[int, int]) -> Block:
    box = Box(_part(size[0], 0.09), _part(size[1], 0.2), _part(size[0], 0.82), _part(size[1], 0.5))
    # The title stands there from the very first frame: players and posters take that one.
    return block(text, box, _part(size[1], 0.135), _part(size[1], 0.05), align="centre", slides_in=False)


def _caption_block(text: str, size: tuple[int, int]) -> Block:
    box = Box(_part(size[0], 0.095), _part(size[1], 0.2), _part(size[0], 0.8), _part(size[1], 0.53))
    return block(text, box, _part(size[1], 0.095), _part(size[1], 0.05))


def _paint_stroke(canvas: Canvas, shot: _Shot, palette: Palette, age: float, left: float) -> None:
    """A stroke in the accent colour: beside a caption, growing under the title."""
    thickness = max(2, canvas.height // 120)
    if shot.scene.title:
        half = int(canvas.width * 0.08 * ease(age / 0.9 + 0.25) * ease(left / 0.3))
        top = shot.words.bottom + 3 * thickness
        canvas.rectangle(canvas.width // 2 - half, top, 2 * half, thickness, palette.accent)
        return
    inset = thickness
    height = int((shot.words.bottom - shot.words.top - 2 * inset) * ease(age / 0.5) * ease(left / 0.25))
    canvas.rectangle(_part(canvas.width, _MARGIN), shot.words.top + inset, thickness, height, palette.accent)


def _paint_progress(canvas: Canvas, share: float, palette: Palette) -> None:
    thickness = max(2, canvas.height // 140)
    top = canvas.height - thickness
    canvas.rectangle(0, top, canvas.width, thickness, palette.dark)
    canvas.rectangle(0, top, int(canvas.width * share), thickness, palette.accent)


def _lower_third(board: Storyboard, size: tuple[int, int], palette: Palette) -> list[Stamp]:
    """Who speaks: the company over its handles and licence, on a dark plate with a stroke in the accent colour."""
    width, margin, stroke = _part(size[0], 0.8), _part(size[1], 0.022), max(2, size[1] // 120)
    rows = [
        (*one_line(board.company, _part(size[1], 0.036), width, "Bold"), WHITE),
        (*one_line(board.small_print, _part(size[1], 0.025), width, "Medium"), _PALE),
    ]
    rows = [row for row in rows if row[1]]
    if not rows:
        return []
    plate_width = max(int(font.getlength(words)) for font, words, _ in rows) + stroke + 4 * margin
    plate_height = sum(_row_height(font) for font, _, _ in rows) + 2 * margin
    left, top = _part(size[0], _MARGIN), size[1] - plate_height - _part(size[1], 0.06)
    stamps = [
        Stamp(Stencil.rectangle(plate_width, plate_height, alpha=120), INK, left, top),
        Stamp(Stencil.rectangle(stroke, plate_height), palette.accent, left, top),
    ]
    top += margin
    for font, words, colour in rows:
        stamps.append(Stamp(text_stencil(words, font), colour, left + stroke + round(1.6 * margin), top))
        top += _row_height(font)
    return stamps


def _row_height(font: FreeTypeFont) -> int:
    return round(font.size * 1.4)


def _part(length: int, share: float) -> int:
    return max(1, round(length * share))
