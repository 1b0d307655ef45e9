"""Executions: one document per run, kept in memory and as one JSON file each, so that a restart knows them all."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    computed_field,
)
from pydantic.alias_generators import to_camel

Status = Literal["new", "running", "success", "error", "canceled"]
"""`new` is what n8n calls a run that waits to be started: here one that a stop interrupted."""
Purpose = Literal["complete", "error", "progress"]

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600

log = structlog.get_logger(__name__)


def iso(moment: datetime) -> str:
    """Return a moment as the wire knows it: ISO 8601, UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


Moment = Annotated[AwareDatetime, PlainSerializer(iso)]


class _Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)


class Try(_Document):
    """One try of a callback: the answer's status and the beginning of its body, or what went wrong instead."""

    at: Moment
    status: int | None = None
    answer: str | None = None
    error: str | None = None


class CallbackRecord(_Document):
    """One callback, what it said, and how it went. Tokens are not kept: `url` has no query."""

    purpose: Purpose
    url: str
    idempotency_key: str
    auth: str
    body: dict[str, Any]
    tries: list[Try] = Field(default_factory=list)
    outcome: Literal["pending", "delivered", "refused", "gave-up"] = "pending"

    @computed_field
    def status(self) -> int | None:
        """The status of the last answer; None while there was none."""
        return self.tries[-1].status if self.tries else None


class Result(_Document):
    """The rendered file, as the completion callback reports it."""

    video_url: str
    size: int
    duration: float


class Execution(_Document):
    """One run of a workflow; `body` is the call's, `headers` those of it that matter (no signature)."""

    id: str
    workflow: str
    status: Status = "running"
    started_at: Moment
    stopped_at: Moment | None = None
    body: dict[str, Any]
    headers: dict[str, str] = Field(default_factory=dict)
    progress: float = 0
    stage: str = ""
    result: Result | None = None
    error_message: str | None = None
    owes: Literal["complete", "error"] | None = Field(default=None, description="The callback still to be delivered.")
    callbacks: list[CallbackRecord] = Field(default_factory=list)

    @property
    def video_id(self) -> str:
        """The video this run was paid for, or an empty string."""
        return self.text("videoId")

    @property
    def names(self) -> frozenset[str]:
        """Everything a fault can call this job by."""
        return names_of(self.body) | {self.id}

    @property
    def fields(self) -> dict[str, Any]:
        """The call's body without the addresses to call back: what the video is made of."""
        return {name: value for name, value in self.body.items() if name != "callbacks"}

    def text(self, name: str) -> str:
        """Return a field of the call's body if it is a string, else an empty one."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def callback_url(self, purpose: Purpose) -> str | None:
        """Return where the caller wants to hear about `purpose`."""
        urls = self.body.get("callbacks")
        url = urls.get(purpose) if isinstance(urls, dict) else None
        return url if isinstance(url, str) and url else None


def names_of(body: dict[str, Any]) -> frozenset[str]:
    """Return the names a job goes by: videoId, requestId, and its title (for `create`: its topic)."""
    values = (body.get(name) for name in ("videoId", "requestId", "title", "videoTopic"))
    return frozenset(value for value in values if isinstance(value, str) and value)


class ExecutionStore:
    """All executions of one data folder. Ids are numbers as strings and are never given twice."""

    def __init__(self, data_dir: Path) -> None:
        """Read what is there; the folder is made if it is missing and closed to other users.

        What cannot be read is set aside, as `<id>.json.unreadable`: the other executions go on.
        """
        self._folder = data_dir / "executions"
        self._folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        ids = sorted({name for name in map(_id_in, self._folder.iterdir()) if name.isdecimal()}, key=int)
        self._last_id = int(ids[-1]) if ids else 0
        self._all = {one.id: one for one in map(self._read, ids) if one is not None}

    def create(self, workflow: str, body: dict[str, Any], headers: dict[str, str]) -> Execution:
        """Record a new running execution; when this returns, it is on disk."""
        self._last_id += 1
        execution = Execution(id=str(self._last_id), workflow=workflow, started_at=now(), body=body, headers=headers)
        self.save(execution)
        self._all[execution.id] = execution
        return execution

    def save(self, execution: Execution) -> None:
        """Write one execution to disk, replacing its file in one step."""
        file = self._file(execution.id)
        fresh = file.with_suffix(".new")
        fresh.touch(_PRIVATE_FILE)
        fresh.write_text(execution.model_dump_json(by_alias=True))
        fresh.replace(file)

    def get(self, execution_id: str) -> Execution | None:
        """Return one execution, or None."""
        return self._all.get(execution_id)

    def newest_first(self) -> Iterable[Execution]:
        """Return all executions, the latest first."""
        return reversed(self._all.values())

    def unsettled(self) -> list[Execution]:
        """Return the executions that have not ended, or whose caller has not heard of it yet."""
        return [one for one in self._all.values() if one.status in ("new", "running") or one.owes is not None]

    def _read(self, execution_id: str) -> Execution | None:
        file = self._file(execution_id)
        try:
            return Execution.model_validate_json(file.read_bytes()) if file.exists() else None
        except (IsADirectoryError, ValidationError) as problem:
            aside = file.replace(file.with_name(f"{file.name}.unreadable"))
            log.error("execution unreadable", kept=str(aside), error=str(problem))
            return None

    def _file(self, execution_id: str) -> Path:
        return self._folder / f"{execution_id}.json"


def _id_in(file: Path) -> str:
    """Return the id that a file is named after, whatever has become of the file."""
    return file.name.partition(".")[0]
