"""The gauge of attempts that are stuck: unknown, or beyond their first deadline."""

from services.generator.attempt import State
from services.generator.store import Attempts
from shared.wiring.counting import keep_counting
from shared.wiring.metrics import Metrics


class Stuck:
    """Counts them now and then; while the database is away the last number stays."""

    def __init__(self, attempts: Attempts, metrics: Metrics) -> None:
        self._attempts = attempts
        self._metrics = metrics

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_counting(self.count)

    async def count(self) -> None:
        """Set the gauge from what the database holds. Raises PyMongoError."""
        counted = await self._attempts.stuck()
        unknown = counted.get(State.UNKNOWN, 0)
        self._metrics.stuck_attempts.labels(reason="unknown").set(unknown)
        self._metrics.stuck_attempts.labels(reason="overdue").set(sum(counted.values()) - unknown)
