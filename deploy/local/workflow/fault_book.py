"""Which faults are set for which job, and how often each may still strike.

Kept in memory: a restart of the engine forgets them all.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from deploy.local.workflow.faults import BaseFault, Fault

ALL_JOBS = "*"

Kind = TypeVar("Kind", bound=BaseFault)


class FaultList(BaseModel):
    """All the faults of one job, or of all jobs, as they are set over HTTP."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]


class FaultBook:
    """The faults that are set; a job's own come before those for all, and within these the first one first."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}

    def put(self, job: str, faults: list[Fault]) -> None:
        """Replace the faults of `job`: a videoId, requestId, title or executionId, or ALL_JOBS."""
        self._faults[job] = faults

    def clear(self, job: str | None = None) -> None:
        """Forget the faults of one job, or (without a name) of every job."""
        if job is None:
            self._faults.clear()
        else:
            self._faults.pop(job, None)

    def listed(self) -> dict[str, list[dict[str, object]]]:
        """Return what can still strike, as it was put, with `times` counted down."""
        return {
            job: [fault.model_dump(by_alias=True, exclude_none=True) for fault in faults if fault.times != 0]
            for job, faults in self._faults.items()
        }

    def look(self, kind: type[Kind], names: Iterable[str]) -> Kind | None:
        """Return the fault of `kind` that would hit a job of these names, without counting it."""
        return next(self._matching(kind, names), None)

    def strike(self, kind: type[Kind], names: Iterable[str]) -> Kind | None:
        """Return the fault of `kind` that hits a job of these names now, and count it; None if there is none."""
        fault = self.look(kind, names)
        if fault is not None and fault.times is not None:
            fault.times -= 1
        return fault

    def _matching(self, kind: type[Kind], names: Iterable[str]) -> Iterator[Kind]:
        for job in (*names, ALL_JOBS):
            for fault in self._faults.get(job, ()):
                if isinstance(fault, kind) and fault.times != 0:
                    yield fault
