"""Live and ready: can this process do its duty, and what is degraded meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.wiring.metrics import Metrics


class Unready(Exception):
    """A probe's finding, in words that anyone may read."""


Probe = Callable[[], Awaitable[None]]
PROBE_SECONDS = 2.0
PROBE_EVERY_SECONDS = 2.0


@dataclass(slots=True)
class Dependency:
    """One thing the service leans on. Without a `required` one it is not ready; without another it is degraded."""

    name: str
    probe: Probe
    required: bool
    problem: str | None = "not probed yet"


@dataclass(slots=True)
class Health:
    """The state of this process's dependencies, kept up to date by `run`."""

    metrics: Metrics
    dependencies: list[Dependency] = field(default_factory=list)
    stopping: bool = False

    def watch(self, name: str, probe: Probe, *, required: bool) -> None:
        """Probe `name` from now on; `probe` returns when it answers and raises when it does not."""
        self.dependencies.append(Dependency(name, probe, required))

    @property
    def ready(self) -> bool:
        """Return whether every required dependency answers and the process is not stopping."""
        return not self.stopping and not any(d.required and d.problem for d in self.dependencies)

    def report(self) -> dict[str, object]:
        """Return the state as /health/ready shows it: no addresses, no secrets."""
        status = "ready" if self.ready else "unready"
        if self.ready and any(d.problem for d in self.dependencies):
            status = "degraded"
        return {"status": status, "dependencies": {d.name: d.problem or "up" for d in self.dependencies}}

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe()
            await asyncio.sleep(PROBE_EVERY_SECONDS)

    async def probe(self) -> None:
        """Probe every dependency once, all at the same time."""
        await asyncio.gather(*(self._probe(dependency) for dependency in self.dependencies))

    async def _probe(self, dependency: Dependency) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await dependency.probe()
            dependency.problem = None
        except Unready as finding:
            dependency.problem = str(finding)
        except Exception as error:  # noqa: BLE001 - whatever a probe raises is the finding
            dependency.problem = type(error).__name__
        self.metrics.dependency_up.labels(dependency=dependency.name).set(dependency.problem is None)
