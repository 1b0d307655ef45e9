"""What a run writes down is what the checker reads; and the clock that is wrong is wrong as it should be."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos import skew
from tests.chaos.evidence import HISTORY, STORED, Evidence, Stored
from tests.chaos.history import History
from tests.chaos.summary import summarise
from tests.unit.chaos.bad_history import good

_CLOCKS = "import time; print(time.time()); began = time.monotonic(); time.sleep(0.1); print(time.monotonic() - began)"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with History(tmp_path / HISTORY) as history:
        history.add("call", action="ask", status=202, data={"videoId": "ana_1"})
    Stored(videos=[{"_id": "ana_1", "createdAt": datetime(2026, 1, 1, tzinfo=UTC)}], uploads=["a"]).write(
        tmp_path / STORED
    )
    evidence = Evidence.read(tmp_path)
    assert list(evidence.accepted()) == ["ana_1"]
    assert evidence.stored.videos == [{"_id": "ana_1", "createdAt": "2026-01-01 00:00:00+00:00"}]
    assert evidence.stored.uploads == ["a"]


def test_what_comes_after_the_end_is_no_longer_written(tmp_path: Path) -> None:
    with History(tmp_path / HISTORY) as history:
        pass
    history.add("frame")
    assert (tmp_path / HISTORY).read_text() == ""


def test_a_run_is_summed_up() -> None:
    told = "\n".join(summarise(good()))
    assert "1 ready, 0 failed (none), 0 deleted" in told
    assert "1 accepted in 1 answers" in told
    assert "1 stored: 1 applied" in told


def test_a_wrong_clock_is_wrong_on_the_wall_only(tmp_path: Path) -> None:
    library = skew.build_library(tmp_path)
    if library is None:
        pytest.skip("no C compiler")
    env = dict(skew.skewed(1, library)[skew.USUAL])
    before = datetime.now(UTC).timestamp()
    shown = subprocess.run([sys.executable, "-c", _CLOCKS], env=env, capture_output=True, text=True, check=True)
    wall, slept = map(float, shown.stdout.split())
    assert wall - before == pytest.approx(int(env["SKEW_SECONDS"]), abs=30)
    assert slept == pytest.approx(0.1, abs=1)


def test_without_a_library_the_clock_is_right() -> None:
    assert skew.skewed(1, None) == {}
