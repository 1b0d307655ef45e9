"""What the database takes is measured by command, and a command that got no answer is told from one that did."""

from datetime import timedelta

from pymongo.monitoring import CommandFailedEvent, CommandSucceededEvent

from shared.wiring.database_time import DatabaseTime
from shared.wiring.metrics import Metrics

WHERE = ("127.0.0.1", 27017)


def test_commands_are_measured_in_seconds_by_what_came_of_them() -> None:
    metrics = Metrics()
    watching = DatabaseTime(metrics)
    watching.succeeded(CommandSucceededEvent(timedelta(milliseconds=250), {"ok": 1}, "insert", 1, WHERE, 1))
    watching.succeeded(CommandSucceededEvent(timedelta(milliseconds=500), {"ok": 1}, "insert", 2, WHERE, 2))
    watching.failed(CommandFailedEvent(timedelta(seconds=10), {"ok": 0}, "insert", 3, WHERE, 3))

    def seconds(outcome: str) -> float | None:
        labels = {"command": "insert", "outcome": outcome}
        return metrics.registry.get_sample_value("reelway_database_command_seconds_sum", labels)

    assert (seconds("ok"), seconds("failed")) == (0.75, 10)
