"""Two replicas of every service side by side, one killed at a time while people work: no promise is broken.

What is checked is chaos's (docs/chaos.md), with the harm in order instead of at random: each of the eight processes is
killed once, and comes back only when its twin, by itself, has brought to its end all that was under way and asked for
meanwhile: it has taken over the messages, the jobs and the streams. Nothing is asked for again. Every user has a
stream at each notifier; one that is cut off goes on at the other one.
"""

from pathlib import Path

import pytest

from deploy.local.site import EngineMissing
from tests.chaos.display import Display
from tests.chaos.evidence import Evidence
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.cluster.turns import Turns

pytestmark = pytest.mark.timeout(900)

SESSION_SECONDS = 6
QUIET_SECONDS = 180.0
TWO_PEOPLE = Plan(0, 0.0, asks=(), wishes=(), reports=(), disruptions=(), users=2)


async def test_two_of_each_and_one_killed_at_a_time_break_no_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SESSION_TIMEOUT", str(SESSION_SECONDS))
    folder = tmp_path / "pairs"
    turns = Turns(folder)
    try:
        verdict = await run(TWO_PEOPLE, folder, Display(), pairs=True, quiet_seconds=QUIET_SECONDS, course=turns)
    except EngineMissing as missing:
        pytest.skip(str(missing))
    assert verdict.violations == []
    evidence = Evidence.read(folder)
    assert len(evidence.accepted()) == turns.asked
    assert {view["status"] for view in evidence.views().values()} == {"ready"}
    _streams_went_from_one_notifier_to_the_other(evidence)


def _streams_went_from_one_notifier_to_the_other(evidence: Evidence) -> None:
    """Every tab was opened at both notifiers, and resumed by the id that it had last seen at the other one."""
    opened = [entry for entry in evidence.entries("stream") if entry["status"] == 200]
    for stream in {entry["stream"] for entry in opened}:
        own = [entry for entry in opened if entry["stream"] == stream]
        assert len({entry["url"] for entry in own}) == 2, stream
        assert any(entry["last"] is not None for entry in own[1:]), stream
