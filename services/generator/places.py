"""Which job may begin beside those under way: what asks the engine about old calls does not hold up new ones.

Deadlines and stops come in crowds (after an outage, say), and each may take the engine's time to answer.
"""

from collections.abc import Iterable

from services.generator.store import DISPATCH
from shared.delivery.outbox import Document
from shared.delivery.workers import Room


def room_for_calls(places: int) -> Room:
    """Return the room of workers with so many `places`: jobs that are no call get half of them, one at least."""
    for_others = max(1, places // 2)

    def room(running: Iterable[Document]) -> Document:
        others = sum(document["job"]["kind"] != DISPATCH for document in running)
        return {"job.kind": DISPATCH} if others >= for_others else {}

    return room
