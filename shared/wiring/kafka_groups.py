"""Lets a consumer leave its group without a word, where its broker does not bear being told.

Kafka gives the partitions of a member that leaves to others at once, and those of one that fell silent after the
session timeout. The embedded broker (Tansu 0.6) goes on to wait for a leader that leaves while its group is being
formed: no member gets a partition ever again, until the broker is started anew. A silent one it always forgets. So
only the single member of a group that is at rest says that it leaves.
"""

import logging

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

log = logging.getLogger(__name__)


def leave_in_silence() -> None:
    """Let no consumer of this process tell a group of others that it leaves. May be called again."""
    GroupCoordinator._maybe_leave_group = _leave


async def _leave(coordinator: GroupCoordinator) -> None:
    try:
        if coordinator.member_id and await _is_alone(coordinator):
            await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
    except KafkaError as error:
        log.info("the group %s is not told: %r", coordinator.group_id, error)
    coordinator.reset_generation()


async def _is_alone(coordinator: GroupCoordinator) -> bool:
    described = await coordinator._send_req(DescribeGroupsRequest([coordinator.group_id]))
    ((_, _, state, _, _, members, *_),) = described.groups
    return state == "Stable" and [member[0] for member in members] == [coordinator.member_id]
