"""An insert whose answer was lost: stored once, and told from another's document."""

from typing import Any, cast

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, DuplicateKeyError, ServerSelectionTimeoutError

from shared.delivery.inserting import Document, insert_through


class Table:
    """One collection; `cuts` are the connections that break, before or after the write."""

    def __init__(self, *cuts: str) -> None:
        self.stored: dict[str, Document] = {}
        self.inserts = 0
        self._cuts = list(cuts)

    async def insert_one(self, document: Document) -> None:
        self.inserts += 1
        cut = self._cuts.pop(0) if self._cuts else None
        if cut == "away":
            raise ServerSelectionTimeoutError("nobody there")
        if cut == "before":
            raise AutoReconnect("cut")
        if document["_id"] in self.stored:
            raise DuplicateKeyError("taken")
        self.stored[document["_id"]] = document
        if cut == "after":
            raise AutoReconnect("cut")

    async def find_one(self, wanted: Document, _: Document) -> Document | None:
        return next((known for known in self.stored.values() if wanted.items() <= known.items()), None)


async def insert(table: Table, mark: str = "mine") -> None:
    await insert_through(cast("AsyncCollection[dict[str, Any]]", table), {"_id": "a", "mark": mark}, mark="mark")


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_write_that_was_cut_off_is_stored_once(cut: str) -> None:
    table = Table(cut)
    await insert(table)
    assert table.stored == {"a": {"_id": "a", "mark": "mine"}}


@pytest.mark.parametrize("cuts", [[], ["before"]])
async def test_anothers_document_is_not_taken_for_ours(cuts: list[str]) -> None:
    table = Table()
    await insert(table, "theirs")
    table._cuts = cuts
    with pytest.raises(DuplicateKeyError):
        await insert(table)
    assert table.stored["a"]["mark"] == "theirs"


@pytest.mark.parametrize(
    ("cuts", "error", "inserts"), [(["away"], ServerSelectionTimeoutError, 1), (["before"] * 2, AutoReconnect, 2)]
)
async def test_a_database_that_stays_away_is_told_of_and_not_waited_for_twice(
    cuts: list[str], error: type[Exception], inserts: int
) -> None:
    table = Table(*cuts)
    with pytest.raises(error):
        await insert(table)
    assert table.inserts == inserts
