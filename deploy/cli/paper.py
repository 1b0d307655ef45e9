"""What a command writes on: a table on a terminal, tab-separated lines in a pipe, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from shared.contracts.letters import RawRecord
from shared.contracts.wire import iso
from shared.delivery.letter import Letter, whole
from shared.delivery.letterbox import Decided

COLUMNS = ("id", "given up", "times", "redrives", "topic", "type", "reason", "state")
_STYLES = {
    "open": "yellow",
    "redriven": "green",
    "discarded": "dim",
    "needs_paid_work": "red",
    "not_open": "red",
    "not_whole": "red",
}
_WORDS = {
    "needs_paid_work": "left: may start a paid generation; --allow-paid-work if that is meant",
    "not_open": "left: it is closed already",
    "not_whole": "left: only its beginning is kept; its producer has to send it again",
}


class Paper(Protocol):
    """Writes what a command found or did."""

    def letters(self, letters: Sequence[Letter], *, of: int) -> None:
        """Write a list of letters, which are the first ones `of` so many."""

    def whole(self, letter: Letter, record: RawRecord) -> None:
        """Write one letter with its original's headers and body."""

    def decided(self, done: Sequence[Decided]) -> None:
        """Write what became of letters."""


def make_paper(*, as_json: bool) -> Paper:
    """Return what suits where standard output goes."""
    if as_json:
        return JsonPaper()
    return TablePaper(Console()) if sys.stdout.isatty() else PlainPaper()


class JsonPaper:
    """One JSON document, with the same names as the admin's HTTP answers."""

    def letters(self, letters: Sequence[Letter], *, of: int) -> None:
        """Write `{"deadLetters": [...], "total"}`."""
        self._write({"deadLetters": [letter.shown() for letter in letters], "total": of})

    def whole(self, letter: Letter, record: RawRecord) -> None:
        """Write the letter with `headers` and `body` or `bodyBase64`."""
        self._write(whole(letter, record))

    def decided(self, done: Sequence[Decided]) -> None:
        """Write `{"deadLetters": [{"id", "outcome"}]}`."""
        self._write({"deadLetters": [{"id": one.letter.id, "outcome": one.outcome} for one in done]})

    def _write(self, content: object) -> None:
        print(json.dumps(content, indent=2))


class PlainPaper:
    """Lines for grep, cut and awk."""

    def letters(self, letters: Sequence[Letter], *, of: int) -> None:
        """Write a line of names, then one line a letter."""
        self._line(COLUMNS)
        for letter in letters:
            self._line(_row(letter))

    def whole(self, letter: Letter, record: RawRecord) -> None:
        """Write `name<tab>value` lines, the headers' names after `header `, the body last."""
        content = whole(letter, record)
        headers, (name_of_body, body) = content.pop("headers"), _body(content)
        for name, value in content.items():
            self._line((name, value))
        for header in headers:
            self._line((f"header {header['name']}", header["value"]))
        self._line((name_of_body, body))

    def decided(self, done: Sequence[Decided]) -> None:
        """Write one line a letter."""
        for one in done:
            self._line((one.letter.id, _words(one)))

    def _line(self, cells: Iterable[Any]) -> None:
        print("\t".join(_on_one_line(str(cell)) for cell in cells))


class TablePaper:
    """For people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def letters(self, letters: Sequence[Letter], *, of: int) -> None:
        """Write a table."""
        if not letters:
            self._console.print("No dead letters.")
            return
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for column in COLUMNS:
            table.add_column(column, no_wrap=column in {"id", "state"}, overflow="fold")
        for letter in letters:
            table.add_row(*(Text(_on_one_line(cell), _STYLES.get(cell, "")) for cell in _row(letter)))
        self._console.print(table)
        if of > len(letters):
            self._console.print(Text(f"{len(letters)} of {of}; --limit shows more", "dim"))

    def whole(self, letter: Letter, record: RawRecord) -> None:
        """Write what is known of the letter, then its headers, then its body."""
        content = whole(letter, record)
        headers, (name_of_body, body) = content.pop("headers"), _body(content)
        self._pairs("", content.items())
        self._pairs("headers", ((header["name"], header["value"]) for header in headers))
        self._console.print(Text(f"\n{name_of_body}", "bold"))
        self._console.print(Syntax(body, "json", background_color="default", word_wrap=True))

    def decided(self, done: Sequence[Decided]) -> None:
        """Write a line for each."""
        for one in done:
            self._console.print(Text.assemble(one.letter.id, "  ", (_words(one), _STYLES.get(one.outcome, "green"))))

    def _pairs(self, title: str, pairs: Iterable[tuple[str, Any]]) -> None:
        if title:
            self._console.print(Text(f"\n{title}", "bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            grid.add_row(Text(_on_one_line(name)), Text(_on_one_line(str(value))))
        self._console.print(grid)


def _row(letter: Letter) -> tuple[str, ...]:
    time = iso(letter.time) if letter.time else ""
    counts = str(letter.times), str(letter.redrives)
    return letter.id, time, *counts, letter.topic, letter.event_type or "", letter.reason, letter.state


def _words(one: Decided) -> str:
    return _WORDS.get(one.outcome, one.outcome.replace("_", " "))


def _body(content: dict[str, Any]) -> tuple[str, str]:
    """Take the body out of a letter's content, and its name: indented where it is JSON, else as it is, or in base64."""
    text = content.pop("body", None)
    if text is None:
        return "bodyBase64", str(content.pop("bodyBase64"))
    try:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = str(text)  # it may be a dead letter for that very reason
    return "body", "\n".join(_on_one_line(line) for line in text.split("\n"))


def _on_one_line(text: str) -> str:
    """Return text without what would end a line or steer a terminal: what stands in letters can come from anyone."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
