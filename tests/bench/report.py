"""What the bench leaves behind: a table for people, a JSON file with every round for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure, Section, Spread

_WIDTH = 130


def table(sections: Sequence[Section]) -> Table:
    """Return the figures as a table: medians, and in brackets the least and the greatest."""
    shown = Table(title="Reelway bench: medians (least to greatest)", title_justify="left", show_lines=False)
    shown.add_column("figure")
    shown.add_column("unit")
    for name in ("Reelway", "base line", "ratio"):
        shown.add_column(name, justify="right")
    for section in sections:
        shown.add_section()
        base = section.setup.get("base")
        shown.add_row(f"[bold]{section.name}[/]" + (f" [dim]against {base}[/]" if base else ""))
        for figure in section.figures:
            shown.add_row(f"  {figure.name}", figure.unit, *_cells(figure))
    return shown


def _cells(figure: Figure) -> tuple[str, str, str]:
    return _cell(figure.ours), _cell(figure.base), _cell(figure.ratio)


def _cell(value: Spread | None) -> str:
    if value is None:
        return "-"
    return f"{_short(value.median)} ({_short(value.least)} to {_short(value.most)})"


def _short(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def show(sections: Sequence[Section]) -> None:
    """Print the table."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)  # a pipe has no width of its own
    console.print(table(sections))


def document(sections: Sequence[Section], about: dict[str, Any]) -> dict[str, Any]:
    """Return the whole run as JSON can hold it; `about` is what it was taken on."""
    return {**about, "sections": {section.name: asdict(section) for section in sections}}


def write(folder: Path, run: dict[str, Any], at: datetime) -> Path:
    """Write the run to `<time>.json` and to latest.json in `folder`; return the former."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(run, indent=2, ensure_ascii=False) + "\n"
    file = folder / f"{at.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    for target in (file, folder / "latest.json"):
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(target)
    return file
