"""The time that the database takes, command by command, as this process waits for it."""

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.wiring.metrics import Metrics

MICROSECONDS = 1_000_000


class DatabaseTime(CommandListener):
    """Measures every command of a client. A command that could not be sent, or was cut off, counts as failed."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.database_seconds

    def started(self, event: CommandStartedEvent) -> None:
        """Wait for its end."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Observe a command that was answered."""
        self._observe(event, "ok")

    def failed(self, event: CommandFailedEvent) -> None:
        """Observe a command that was refused or got no answer."""
        self._observe(event, "failed")

    def _observe(self, event: CommandSucceededEvent | CommandFailedEvent, outcome: str) -> None:
        labels = {"command": event.command_name, "outcome": outcome}
        self._seconds.labels(**labels).observe(event.duration_micros / MICROSECONDS)
