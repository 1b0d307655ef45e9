import pytest

from deploy.local.workflow.captions import Box, block, fit, one_line, wrap
from deploy.local.workflow.fonts import drawable, font_for, missing

BOX = Box(left=40, top=30, width=240, height=100)
NASTY = "Donaudampfschifffahrtsgesellschaftskapitänsmütze " * 3


@pytest.mark.parametrize("text", ["short", "a few more words than fit into one line", NASTY, "W" * 500, ""])
def test_no_line_is_wider_than_its_box(text: str) -> None:
    font, lines = fit(text, BOX, largest=40, smallest=12)
    assert all(font.getlength(line) <= BOX.width for line in lines)
    assert len(lines) * font.size <= BOX.height


def test_wrapping_keeps_every_letter() -> None:
    assert "".join(wrap(NASTY, font_for(NASTY, 20), 100)).replace(" ", "") == NASTY.replace(" ", "")


def test_what_does_not_fit_at_the_smallest_size_ends_in_dots() -> None:
    _, lines = fit("many words " * 200, BOX, largest=40, smallest=20)
    assert lines[-1].endswith("…")


def test_a_block_stays_inside_its_box() -> None:
    laid_out = block("Two lines of text, perhaps even three of them", BOX, largest=40, smallest=12)
    assert BOX.top <= laid_out.top < laid_out.bottom <= BOX.top + BOX.height


def test_one_line_is_cut_to_its_width() -> None:
    font, words = one_line("a company with a name that goes on and on and on", 20, 150)
    assert font.getlength(words) <= 150
    assert words.endswith("…")


@pytest.mark.parametrize("text", ["Grüße, café, Łódź, Žižkov, Ångström, ¿Qué?", "Ελλάδα", "Москва", "“quoted” – 5 €"])
def test_european_letters_have_pictures(text: str) -> None:
    font = font_for(text, 24)
    assert drawable(text, font) == text


@pytest.mark.parametrize("text", ["emoji 🙂 go ✨", "日本語", "e\u0301te\u0301", "tab\tand\u200bzero width", "ﬁne ½"])
def test_whatever_has_no_picture_is_replaced(text: str) -> None:
    font = font_for(text, 24)
    assert missing(drawable(text, font), font) == frozenset()


def test_emoji_leave_no_trace() -> None:
    assert drawable("go \U0001fae8 on", font_for("go on", 24)) == "go on"
