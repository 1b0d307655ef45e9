"""The local stack as one thing: engines and services started in order, each to be reached, killed and started again.

async with LocalStack(folder) as stack:
    httpx.get(stack.url("gateway") + "/health/ready")
    await stack.kill("generator")
    await stack.start("generator")

An engine of several processes is named as a whole, or by one of them: `kafka` on three brokers, and `kafka-2`.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.credentials import Credentials, keep_credentials
from deploy.local.engines import engine
from deploy.local.ports import free_ports
from deploy.local.processes import Child, Program
from deploy.local.services import service, settings
from deploy.local.site import (
    BROKER_PORTS,
    ENGINE_VARIABLES,
    PREFERRED_PORTS,
    SERVICES,
    Site,
    admin_token,
    real_address,
    webhook_secret,
)
from shared.wiring.together import all_or_none

START_SECONDS = 120.0

Report = Callable[[str, str, str], None]
"""Called with (name, state, detail) when a process starts, is ready, ends, ..."""


class LocalStack:
    """Embedded engines and services in processes of their own, on loopback, with their data under one folder.

    Entering starts everything and returns when all of it is ready; StartFailed says what did not work. Leaving stops
    it: services first, then engines. Bound to no event loop, so a fixture of one loop can serve tests of another.

    folder:     where data, logs and secrets are kept; the same folder again finds yesterday's data.
    services:   those to start; empty for engines only.
    engines:    those to start, whatever `environ` says; by default all whose address is not set in it.
    ports:      ports by name; names left out get random free ones.
    environ:    the environment of every process, by default this one's.
    overrides:  more environment for one process, by name: {"generator": {"WORKFLOW_DEADLINE": "5"}}.
    advertised: ports that the others are told for an engine instead of its own: a proxy's in front of it. The proxy of
                Kafka must listen before the stack is entered.
    report:     told about every change, for a display.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: Iterable[str] = SERVICES,
        engines: Iterable[str] | None = None,
        ports: Mapping[str, int] | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Mapping[str, str]] | None = None,
        advertised: Mapping[str, int] | None = None,
        report: Report = lambda _name, _state, _detail: None,
    ) -> None:
        environ = dict(os.environ if environ is None else environ)
        given = dict(ports or {})
        folder = folder.absolute()
        if engines is None:
            chosen = [name for name in ENGINE_VARIABLES if not real_address(name, environ)]
        else:
            chosen = list(engines)
            for variable in (variable for name in chosen for variable in ENGINE_VARIABLES[name]):
                environ.pop(variable, None)
        self.site = Site(
            folder=folder,
            ports=given | free_ports(name for name in (*PREFERRED_PORTS, *BROKER_PORTS) if name not in given),
            credentials=keep_credentials(folder / "secrets.json"),
            environ=environ,
            engines=tuple(chosen),
            services=tuple(services),
            advertised=dict(advertised or {}),
        )
        self._overrides = overrides or {}
        self._report = report
        self._hurry = False
        self.children: dict[str, Child] = {}

    async def __aenter__(self) -> Self:
        try:
            await self.start_all()
        except BaseException:
            await self.stop_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_all()

    @property
    def credentials(self) -> Credentials:
        """The secrets of this stack: S3 keys, the demo login."""
        return self.site.credentials

    @property
    def webhook_secret(self) -> str:
        """The secret that n8n proves itself with."""
        return webhook_secret(self.site)

    @property
    def admin_token(self) -> str:
        """The secret that /admin of every service asks for."""
        return admin_token(self.site)

    def url(self, name: str) -> str:
        """Return the URL of a service or an engine; for Kafka host:port."""
        return self.site.url(name)

    def settings(self, name: str) -> dict[str, str]:
        """Return the environment a service runs with here; works for services that are not started, too."""
        return {**settings(self.site, name), **self._overrides.get(name, {})}

    def pid(self, name: str) -> int | None:
        """Return the process id (of several the first's), None while it does not run or is not ours."""
        child = self.children.get(self.site.parts(name)[0])
        return child.pid if child else None

    async def start_all(self) -> None:
        """Start the engines, then the services, each group at once; returns when all are ready. Raises StartFailed."""
        for names, build in ((self.site.engines, engine), (self.site.services, service)):
            await self._start_new(build(self.site, part) for name in names for part in self.site.parts(name))

    async def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start a process that was stopped or killed, on its old port; returns when ready. Raises StartFailed.

        `env` adds to its environment, from now on.
        """
        await all_or_none(self._start(self.children[part], env) for part in self.site.parts(name))

    async def stop(self, name: str) -> None:
        """Stop one process as a deployment would: SIGTERM, time to finish, SIGKILL if it takes too long."""
        await asyncio.gather(*(self._stop(self.children[part]) for part in self.site.parts(name)))

    async def restart(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Stop one process and start it again."""
        await self.stop(name)
        await self.start(name, env)

    async def kill(self, name: str) -> None:
        """End one process with SIGKILL, at once; `start` brings it back."""
        await asyncio.gather(*(self.children[part].kill() for part in self.site.parts(name)))

    def pause(self, name: str) -> None:
        """Freeze one process without ending it."""
        for part in self.site.parts(name):
            self.children[part].pause()

    def resume(self, name: str) -> None:
        """Let a frozen process go on."""
        for part in self.site.parts(name):
            self.children[part].resume()

    async def stop_all(self) -> None:
        """Stop the services, then what they lean on. Can be repeated."""
        for names in (self.site.services, self.site.engines):
            parts = (part for name in names for part in self.site.parts(name))
            running = [part for part in parts if self.pid(part) is not None]
            for name in running:
                self._report(name, "stopping", "")
            await asyncio.gather(*(self.stop(name) for name in running))

    async def hurry(self) -> None:
        """Wait for nobody's graceful stop any longer: kill what still runs."""
        self._hurry = True
        await asyncio.gather(*(child.kill() for child in self.children.values()))

    def _child(self, program: Program) -> Child:
        return Child(program, self.site.log(program.name))

    async def _start(self, child: Child, env: Mapping[str, str] | None) -> None:
        self._report(child.name, "starting", "")
        child.start(env)
        seconds = await child.wait_ready(START_SECONDS)
        self._report(child.name, "ready", f"{seconds:.1f} s")

    async def _stop(self, child: Child) -> None:
        in_time = await child.stop(0.0 if self._hurry else None)
        self._report(child.name, "stopped", "" if in_time else "did not stop in time, was killed")

    async def _start_new(self, programs: Iterable[Program]) -> None:
        new = {program.name: self._child(program) for program in programs}
        self.children |= new
        await all_or_none(self.start(name, self._overrides.get(name)) for name in new)
