"""The time that the database takes, command by command, as this process waits for it."""

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.wiring.metrics import Metrics

MICROSECONDS = 1_000_000


class DatabaseTime(CommandListener):
    """Measures every command of a client that ends: answered, refused, or its connection lost.

    What its asker gave up first, and what never got a connection, is in no series: such a database shows in the jobs
    that hang and in `reelway_dependency_up`.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.database_seconds

    def started(self, event: CommandStartedEvent) -> None:
        """Note nothing: the end says how long it took."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Observe a command that was answered."""
        self._observe(event, "ok")

    def failed(self, event: CommandFailedEvent) -> None:
        """Observe a command that was refused or got no answer."""
        self._observe(event, "failed")

    def _observe(self, event: CommandSucceededEvent | CommandFailedEvent, outcome: str) -> None:
        labels = {"command": event.command_name, "outcome": outcome}
        self._seconds.labels(**labels).observe(event.duration_micros / MICROSECONDS)
