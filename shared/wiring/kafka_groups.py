"""Lets consumers end without a word to their group, where a broker does not bear being told.

Kafka gives the partitions of a member that leaves to others at once, and those of one that fell silent after the
session timeout. The embedded broker (Tansu 0.6) goes on to wait for a leader that leaves while its group is being
formed: no member gets a partition ever again, until the broker is started anew. A silent one it always forgets.
"""

from aiokafka.consumer.group_coordinator import GroupCoordinator


def leave_no_group() -> None:
    """Let no consumer of this process tell that it leaves. May be called again."""
    GroupCoordinator._maybe_leave_group = _fall_silent


async def _fall_silent(coordinator: GroupCoordinator) -> None:
    coordinator.reset_generation()
