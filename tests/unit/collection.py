"""A MongoDB collection in memory: as much of it as the services' stores ask for, so that a test can drive their rules.

Every call takes one turn before it does anything, so that a test may stop a coroutine at each of them (see turns.py).
"""

import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, cast

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from shared.contracts.cloudevents import decode
from shared.contracts.events import Event
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics
from tests.unit.turns import Turn

METRICS = Metrics()

_MISSING = object()


def _is(value: object, wanted: object) -> bool:
    return (None if value is _MISSING else value) == wanted


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: value is not _MISSING and value is not None and test(value, wanted)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$lt": _compared(lambda value, wanted: value < wanted),
    "$lte": _compared(lambda value, wanted: value <= wanted),
    "$gt": _compared(lambda value, wanted: value > wanted),
    "$gte": _compared(lambda value, wanted: value >= wanted),
    "$ne": lambda value, wanted: not _is(value, wanted),
    "$exists": lambda value, wanted: (value is not _MISSING) == wanted,
    "$in": lambda value, wanted: any(_is(value, one) for one in wanted),
    "$nin": lambda value, wanted: not any(_is(value, one) for one in wanted),
}


@dataclass(frozen=True)
class Result:
    """What a write came to."""

    matched_count: int = 0
    modified_count: int = 0
    upserted_id: object = None


class Found:
    """What a query found."""

    def __init__(self, documents: list[Document]) -> None:
        self._documents = documents

    def sort(self, name: str, direction: int) -> Self:
        self._documents.sort(key=lambda document: document[name], reverse=direction < 0)
        return self

    def limit(self, count: int) -> Self:
        del self._documents[count:]
        return self

    async def to_list(self, count: int | None = None) -> list[Document]:
        await Turn()
        return self._documents[:count]

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in await self.to_list():
            yield document


class Memory:
    """Documents by their `_id`; `unique` names further fields that no two documents may share."""

    def __init__(self, *unique: str) -> None:
        self.documents: dict[object, Document] = {}
        self._unique = unique
        self._tokens = 0

    @property
    def collection(self) -> AsyncCollection[Document]:
        return cast("AsyncCollection[Document]", self)

    def age(self, by: timedelta) -> None:
        """Let time pass: whatever is written down was so much longer ago."""
        self.documents = {id_: _aged(document, by) for id_, document in self.documents.items()}

    def claim(self, id_: object) -> Lease | None:
        """Take the job of a document, also from somebody who is at it; None where there is none."""
        document = self.documents[id_]
        if "job" not in document:
            return None
        self._tokens += 1
        held = {"token": f"worker-{self._tokens}", "beat": 0, "tries": document["job"]["tries"] + 1}
        document["job"] = {**{name: value for name, value in document["job"].items() if name != "dueAt"}, **held}
        return Lease(self.collection, copy.deepcopy(document))

    async def find_one(self, wanted: Document, fields: Document | None = None) -> Document | None:
        await Turn()
        return next(iter(self._matching(wanted)), None)

    def find(self, wanted: Document, fields: Document | None = None) -> Found:
        return Found(self._matching(wanted))

    async def insert_one(self, document: Document) -> None:
        await Turn()
        self._insert(document)

    async def update_one(self, wanted: Document, update: Document, *, upsert: bool = False) -> Result:
        await Turn()
        found = self._matching(wanted)
        if found:
            return self._change(found[0], update)
        if not upsert:
            return Result()
        # As MongoDB does it: what the filter says for certain is part of what is inserted.
        document = {name: value for name, value in wanted.items() if not isinstance(value, dict)}
        _apply(document, {**update, "$set": {**update.get("$setOnInsert", {}), **update.get("$set", {})}})
        self._insert(document)
        return Result(upserted_id=document["_id"])

    async def update_many(self, wanted: Document, update: Document) -> Result:
        await Turn()
        changed = [self._change(document, update) for document in self._matching(wanted)]
        return Result(len(changed), sum(one.modified_count for one in changed))

    def _matching(self, wanted: Document) -> list[Document]:
        return [copy.deepcopy(document) for document in self.documents.values() if _matches(document, wanted)]

    def _insert(self, document: Document) -> None:
        for name in ("_id", *self._unique):
            taken = {known[name] for known in self.documents.values() if name in known}
            if name in document and document[name] in taken:
                raise DuplicateKeyError(f"{name} is taken", details={"keyPattern": {name: 1}})
        self.documents[document["_id"]] = copy.deepcopy(document)

    def _change(self, document: Document, update: Document) -> Result:
        before = self.documents[document["_id"]]
        _apply(document, update)
        self.documents[document["_id"]] = document
        return Result(1, int(document != before))


class Post(Outbox):
    """An outbox that publishes when it is asked what was told."""

    def __init__(self, memory: Memory, *, keep: timedelta | None = None) -> None:
        super().__init__(memory.collection, self._nobody, source="test", metrics=METRICS, keep=keep)
        self._memory = memory

    def nudge(self, document_id: object) -> None:
        """Do nothing: `taken` finds it."""

    def nudge_held(self, document: Document) -> None:
        """Do nothing, either."""

    def taken(self) -> list[Event]:
        """Return what was told since the last time, in the order of each document."""
        entries: list[Any] = []
        for document in self._memory.documents.values():
            entries += document.pop("outbox", [])
            for mark in ("outboxAt", "relay"):
                document.pop(mark, None)
        return [decode(entry["headers"], entry["value"].encode()) for entry in entries]

    async def _nobody(self, record: object) -> None:
        raise AssertionError("the relay does not run here")


def _value(document: Document, path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def _matches(document: Document, wanted: Document) -> bool:
    return all(_satisfies(_value(document, path), condition) for path, condition in wanted.items())


def _satisfies(value: Any, condition: Any) -> bool:
    if isinstance(condition, dict):
        return all(_TESTS[name](value, operand) for name, operand in condition.items())
    return _is(value, condition)


def _apply(document: Document, update: Document) -> None:
    """Change `document` in place; an operator that is not known here is an error."""
    assert update.keys() <= {"$set", "$unset", "$setOnInsert", "$push", "$max", "$inc"}, update.keys()
    update = copy.deepcopy(update)
    for path, value in update.get("$set", {}).items():
        parent, name = _place(document, path)
        parent[name] = value
    for path in update.get("$unset", {}):
        parent, name = _place(document, path)
        parent.pop(name, None)
    for path, value in update.get("$inc", {}).items():
        parent, name = _place(document, path)
        parent[name] = parent.get(name, 0) + value
    for path, value in update.get("$max", {}).items():
        parent, name = _place(document, path)
        parent[name] = max(parent.get(name, value), value)
    for path, value in update.get("$push", {}).items():
        parent, name = _place(document, path)
        parent[name] = [*parent.get(name, []), *value["$each"]]


def _place(document: Document, path: str) -> tuple[Document, str]:
    *parents, name = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    return document, name


def _aged(value: Any, by: timedelta) -> Any:
    if isinstance(value, dict):
        return {name: _aged(one, by) for name, one in value.items()}
    return value - by if isinstance(value, datetime) else value
