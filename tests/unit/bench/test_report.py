import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from rich.console import Console

from tests.bench.figures import Section, figure
from tests.bench.report import document, table, write

SECTION = Section(
    "accept",
    {"base": "bare FastAPI app"},
    [{"side": "gateway", "wall_seconds": 1.5}],
    [figure("accepts", "/CPU s", [100.0, 120.0, 110.0], [200.0, 240.0, 220.0]), figure("memory", "KB", [28.25])],
)


def test_the_table_shows_median_spread_and_ratio() -> None:
    out = StringIO()
    Console(file=out, width=140).print(table([SECTION]))
    shown = out.getvalue()
    assert "110 (100 to 120)" in shown
    assert "220 (200 to 240)" in shown
    assert "0.50 (0.50 to 0.50)" in shown
    assert "28.2 (28.2 to 28.2)" in shown


def test_the_file_holds_every_round_and_latest_is_the_same(tmp_path: Path) -> None:
    run = document([SECTION], {"takenAt": "2026-01-02T03:04:05.000Z"})
    file = write(tmp_path / "bench", run, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert file.name == "2026-01-02T03-04-05Z.json"
    kept = json.loads(file.read_text())
    assert kept["sections"]["accept"]["rounds"] == SECTION.rounds
    assert kept["sections"]["accept"]["figures"][0]["ratio"]["median"] == 0.5
    assert json.loads((tmp_path / "bench" / "latest.json").read_text()) == kept
