"""What the checker judges: the history of a run and what was stored at its end, as plain data from two files."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import history

Json = dict[str, Any]

HISTORY, STORED = "history.jsonl", "stored.json"
DELETED = "deleted"


@dataclass(frozen=True)
class Stored:
    """What lay in the databases, in the bucket and in the workflow engine's log; documents as they are, times as text.

    `webhooks` are the timelines' entries of results and errors; `objects` maps keys to sizes; `uploads` are the keys of
    multipart uploads that nobody ended.
    """

    videos: list[Json] = field(default_factory=list)
    receipts: list[Json] = field(default_factory=list)
    webhooks: list[Json] = field(default_factory=list)
    workflows: list[Json] = field(default_factory=list)
    held: list[Json] = field(default_factory=list)
    assets: list[Json] = field(default_factory=list)
    claims: list[Json] = field(default_factory=list)
    notifications: list[Json] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    executions: list[Json] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)

    def write(self, file: Path) -> None:
        """Keep it for `--check`."""
        file.write_text(json.dumps(asdict(self), default=str, indent=1))


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which rule, about what, and where to look."""

    rule: str
    video: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """Everything the rules may look at."""

    history: list[Json] = field(default_factory=list)
    stored: Stored = field(default_factory=Stored)

    @classmethod
    def read(cls, folder: Path) -> "Evidence":
        """Return what a run left in its folder."""
        stored = Stored(**json.loads((folder / STORED).read_text()))
        return cls(history.read(folder / HISTORY), stored)

    def entries(self, what: str) -> Iterator[Json]:
        """Yield the history's entries of one kind, in order."""
        return (entry for entry in self.history if entry["what"] == what)

    def calls(self, *actions: str) -> Iterator[Json]:
        """Yield the HTTP calls of these kinds, in the order in which they ended."""
        return (entry for entry in self.entries("call") if entry["action"] in actions)

    def accepted(self) -> dict[str, Json]:
        """Return the first accepting call of every video that some user was promised."""
        found: dict[str, Json] = {}
        for call in self.calls("ask"):
            if call["status"] == 202:
                found.setdefault(call["data"]["videoId"], call)
        return found

    def deleted(self) -> set[str]:
        """Return the videos whose owner was told that they are gone."""
        return {call["video"] for call in self.calls("delete") if call["status"] in (200, 404)}

    def views(self) -> dict[str, Json]:
        """Return the gateway's documents by videoId."""
        return {document["_id"]: document for document in self.stored.videos}

    def assets(self) -> dict[str, Json]:
        """Return media's records by videoId."""
        return {document["_id"]: document for document in self.stored.assets}

    def attempts(self) -> dict[tuple[str, int], Json]:
        """Return the generator's attempts; its tombstones are left out."""
        found = (document for document in self.stored.workflows if "attempt" in document)
        return {(document["videoId"], document["attempt"]): document for document in found}

    def told(self) -> dict[str, list[Json]]:
        """Return every user's stored notifications as the user saw them in the end, oldest first."""
        lists = {entry["user"]: entry["notifications"] for entry in self.entries("notifications")}
        return {user: sorted(notes, key=lambda note: note["seq"]) for user, notes in lists.items()}


def by(things: Iterable[Json], name: str) -> dict[Any, list[Json]]:
    """Return `things` in groups of equal `name`, each in the order given."""
    groups: dict[Any, list[Json]] = defaultdict(list)
    for thing in things:
        groups[thing.get(name)].append(thing)
    return groups
