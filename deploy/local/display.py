"""What people see while the stack starts, runs and stops: a live table on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_WORKING = {"starting", "stopping"}
_STYLES = {"ready": "green", "in use": "green", "died": "red", "failed": "red", "stopped": "dim"}


class Display(Protocol):
    """Shows the states of the processes."""

    def open(self, rows: Sequence[tuple[str, str]]) -> None:
        """Begin with these (name, where) pairs."""

    def changed(self, name: str, state: str, detail: str) -> None:
        """Show a process's new state."""

    def announce(self, title: str, lines: Sequence[str]) -> None:
        """Show the one text that matters, once everything is up, and from then on only what changes."""

    def say(self, text: str) -> None:
        """Show a line."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def make_display() -> Display:
    """Return the display that suits where standard output goes."""
    clever = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return LiveTable() if clever else PlainLines()


class PlainLines:
    """One line per change, for logs and pipes."""

    def __init__(self) -> None:
        self._where: dict[str, str] = {}
        self._gone = False

    def open(self, rows: Sequence[tuple[str, str]]) -> None:
        """Remember the addresses, to show each when its owner is ready."""
        self._where = dict(rows)

    def changed(self, name: str, state: str, detail: str) -> None:
        """Print the change."""
        where = self._where.get(name, "") if state in {"ready", "in use"} else ""
        self.say("  ".join(part for part in (f"{state:<9}", f"{name:<13}", where, detail) if part))

    def announce(self, title: str, lines: Sequence[str]) -> None:
        """Print the text."""
        self.say("\n".join(["", title, *(f"  {line}" for line in lines), ""]))

    def say(self, text: str) -> None:
        """Print it at once. That nobody reads any longer (`make up | head`) must not stop the stack."""
        if self._gone:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._gone = True

    def close(self) -> None:
        """Nothing to put back."""


class LiveTable:
    """A table that is redrawn while things start or stop; lines above it while they run."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live: Live | None = None
        self._where: dict[str, str] = {}
        self._states: dict[str, tuple[str, str]] = {}
        self._spinners: dict[str, Spinner] = {}
        self._running = False

    def open(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show the table with everything waiting."""
        self._where = dict(rows)
        self._states = {name: ("waiting", "") for name, _ in rows}
        self._show()

    def changed(self, name: str, state: str, detail: str) -> None:
        """Change a row; once everything runs, print a line instead."""
        if self._running and state != "stopping":
            self._console.print(
                Text.assemble((f"{time.strftime('%H:%M:%S')}  {name} {state}  ", _STYLES.get(state, "")), detail)
            )
            return
        self._running = False
        self._states[name] = (state, detail)
        self._show()

    def announce(self, title: str, lines: Sequence[str]) -> None:
        """Print the text in a frame below the finished table."""
        self._hide()
        self._console.print(Panel(Text("\n".join(lines)), title=title, border_style="green", expand=False))
        self._running = True

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(text))

    def close(self) -> None:
        """Stop redrawing; the last state stays on the screen."""
        self._hide()

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(self._table(), console=self._console, refresh_per_second=8)
            self._live.start()
        else:
            self._live.update(self._table())

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for _ in range(5):
            table.add_column(no_wrap=True)
        for name, (state, detail) in self._states.items():
            style = _STYLES.get(state, "dim" if state == "waiting" else "yellow")
            mark = self._spinner(name) if state in _WORKING else Text("●" if state in _STYLES else "○", style=style)
            first_line = detail.splitlines()[0] if detail else ""
            table.add_row(mark, name, Text(state, style=style), self._where.get(name, ""), Text(first_line, "dim"))
        return table

    def _spinner(self, name: str) -> Spinner:
        return self._spinners.setdefault(name, Spinner("dots", style="yellow"))
