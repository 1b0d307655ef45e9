"""Two replicas of every service side by side, one killed at a time while people work: no promise is broken.

What happens, and what is checked of it, is chaos's (docs/chaos.md), with the harm in order instead of at random: each
of the eight processes is killed once, and away for longer than a consumer's session, so that its twin takes over its
partitions, its jobs and its streams. Every user has a stream at each notifier; one that is cut off goes on at the
other one.
"""

from pathlib import Path

import pytest

from deploy.local.site import SERVICES, EngineMissing
from tests.chaos.arena import PAIRS
from tests.chaos.display import Display
from tests.chaos.evidence import Evidence
from tests.chaos.plan import Ask, Disruption, Kind, Plan
from tests.chaos.run import run

pytestmark = pytest.mark.timeout(900)

SESSION_SECONDS = 6
AWAY_SECONDS = 8.0
TURN_SECONDS = 11.0
ASK_EVERY_SECONDS = 4.0
QUIET_SECONDS = 180.0


def each_killed_in_turn() -> Plan:
    """Two people ask for videos, one slow file in three, while every process is killed in its turn."""
    harms = tuple(
        Disruption(4.0 + turn * TURN_SECONDS, name, "kill", AWAY_SECONDS)
        for turn, name in enumerate((*SERVICES, *PAIRS))
    )
    seconds = 4.0 + len(harms) * TURN_SECONDS
    asks = tuple(_ask(number) for number in range(int(seconds / ASK_EVERY_SECONDS)))
    return Plan(0, seconds, asks, wishes=(), reports=(), disruptions=harms, users=2)


def _ask(number: int) -> Ask:
    slow = ({"kind": "file-slow", "bytesPerSecond": 40_000},) if number % 3 == 0 else ()
    kind: Kind = "import" if number % 5 == 1 else "generate"
    return Ask(0.5 + number * ASK_EVERY_SECONDS, number % 2, f"Pairs no {number}", kind, slow, copies=1 + number % 2)


async def test_two_of_each_and_one_killed_at_a_time_break_no_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SESSION_TIMEOUT", str(SESSION_SECONDS))
    plan, folder = each_killed_in_turn(), tmp_path / "pairs"
    try:
        verdict = await run(plan, folder, Display(), pairs=True, quiet_seconds=QUIET_SECONDS)
    except EngineMissing as missing:
        pytest.skip(str(missing))
    assert verdict.violations == []
    evidence = Evidence.read(folder)
    assert len(evidence.accepted()) == len(plan.asks)
    assert {view["status"] for view in evidence.views().values()} == {"ready"}
    _streams_went_from_one_notifier_to_the_other(evidence)


def _streams_went_from_one_notifier_to_the_other(evidence: Evidence) -> None:
    """Every tab was opened at both notifiers, and resumed by the id that it had last seen at the other one."""
    opened = [entry for entry in evidence.entries("stream") if entry["status"] == 200]
    for stream in {entry["stream"] for entry in opened}:
        own = [entry for entry in opened if entry["stream"] == stream]
        assert len({entry["url"] for entry in own}) == 2, stream
        assert any(entry["last"] is not None for entry in own[1:]), stream
