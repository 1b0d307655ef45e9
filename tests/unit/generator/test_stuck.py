"""The gauge of stuck attempts."""

from services.generator.attempt import State
from services.generator.store import Attempts
from services.generator.stuck import Stuck
from shared.wiring.metrics import Metrics


class Counted(Attempts):
    """Says how many are stuck."""

    def __init__(self, counted: dict[State, int]) -> None:
        self.counted = counted

    async def stuck(self) -> dict[State, int]:
        return self.counted


async def test_the_unknown_and_the_overdue_are_told_apart_and_go_again() -> None:
    metrics = Metrics()
    attempts = Counted({State.UNKNOWN: 2, State.STARTED: 3})
    stuck = Stuck(attempts, metrics)
    await stuck.count()
    assert b'reelway_stuck_attempts{reason="unknown"} 2.0' in metrics.render()
    assert b'reelway_stuck_attempts{reason="overdue"} 3.0' in metrics.render()
    attempts.counted = {}
    await stuck.count()
    assert b'reelway_stuck_attempts{reason="unknown"} 0.0' in metrics.render()
    assert b'reelway_stuck_attempts{reason="overdue"} 0.0' in metrics.render()
