"""The stack under test: everything behind proxies, second replicas of generator and media, short leases."""

import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from deploy.local import ready
from deploy.local.ports import free_port, free_ports
from deploy.local.processes import Child, Program
from deploy.local.services import service
from deploy.local.site import ENGINE_VARIABLES, PREFERRED_PORTS, SERVICES
from deploy.local.stack import LocalStack
from tests.chaos.plan import PROXIED, REPLICAS
from tests.chaos.proxy import Proxy
from tests.chaos.skew import SKEWED

WORKFLOW_DEADLINE = 40.0
WORKFLOW_DEADLINE_MOST = 70.0
TRANSFER_DEADLINE = 60.0
LEASE = 5.0
KAFKA_STANDSTILL = "15"

_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "workflow": {
        "WORKFLOW_PACE": "0",
        "WORKFLOW_FRAME_SIZE": "320x180",
        "WORKFLOW_FRAME_RATE": "4",
        "WORKFLOW_CALLBACK_TIMEOUT": "PT4S",
    },
    # Users of chaos log in once: their tokens outlast the run, by a clock that is wrong too.
    "gateway": {"REANNOUNCE_AFTER": "3", "REANNOUNCE_MOST": "8", "ACCESS_TOKEN_LIFE": "PT12H"},
    "generator": {
        "WORKFLOW_DEADLINE": str(WORKFLOW_DEADLINE),
        "WORKFLOW_DEADLINE_STEP": "10",
        "WORKFLOW_DEADLINE_MOST": str(WORKFLOW_DEADLINE_MOST),
        "WORKFLOW_ASK_EVERY": "3",
        "WORKFLOW_LOST_AFTER": "8",
        "WORKFLOW_STOP_WITHIN": "45",
        "WORKFLOW_ANSWER_TIMEOUT": "4",
        "WORKFLOW_CONNECT_TIMEOUT": "2",
        "DISPATCH_RETRY_MOST": "4",
        "HELD_FOR": "15",
        "JOB_LEASE": str(LEASE),
    },
    "media": {
        "TRANSFER_LEASE": str(LEASE),
        "TRANSFER_DEADLINE": str(TRANSFER_DEADLINE),
        "TRANSFER_UNREACHABLE_FOR": "12",
        "TRANSFER_RETRY_MOST": "4",
        "FETCH_READ_TIMEOUT": "6",
        "PROBE_TIMEOUT": "20",
        "SWEEP_EVERY": "2",
    },
    "notifier": {"STREAM_HEARTBEAT": "2", "STREAM_RETRY": "0.5", "AUDIT_EVERY": "2"},
}
"""Short enough that leases, deadlines and repeats all come true within one run."""


class ChaosStack(LocalStack):
    """A LocalStack with replicas, whose services may be started with one of their safeguards switched off."""

    def __init__(
        self,
        folder: Path,
        *,
        without: str | None,
        clock: Mapping[str, str],
        ports: Mapping[str, int],
        front: Mapping[str, int],
    ) -> None:
        settings = {name: dict(values) for name, values in _SETTINGS.items()}
        for name in SERVICES:
            settings[name]["KAFKA_STANDSTILL"] = KAFKA_STANDSTILL
        settings[SKEWED] |= clock
        settings["workflow"]["WORKFLOW_PUBLIC_URL"] = f"http://127.0.0.1:{front['workflow']}"
        super().__init__(folder, engines=ENGINE_VARIABLES, ports=ports, advertised=front, overrides=settings)
        self._without = without

    async def start_all(self) -> None:
        """Start everything, then the replicas."""
        await super().start_all()
        await self._start_new(self._replica(name) for name in REPLICAS)

    async def stop_all(self) -> None:
        """Stop the replicas, then everything else. What is frozen hears of it first."""
        for name in self.children:
            self.resume(name)
        for name in REPLICAS:
            if self.pid(name) is not None:
                await self.stop(name)
        await super().stop_all()

    def _replica(self, name: str) -> Program:
        original, port = name.partition("-")[0], free_port()
        url = f"http://127.0.0.1:{port}"
        env = {**self.settings(original), f"{original.upper()}_PORT": str(port)}
        check = partial(ready.http, f"{url}/health/ready")
        return replace(service(self.site, original), name=name, env=env, url=url, check=check)

    def _child(self, program: Program) -> Child:
        name = program.name.partition("-")[0]
        if self._without is not None and name in SERVICES and program.name not in ENGINE_VARIABLES:
            argv = [sys.executable, "-m", "tests.chaos.sabotage", self._without, name]
            program = replace(program, argv=argv)
        return super()._child(program)


class Arena:
    """The stack and the proxies in front of it; entered and left together.

    `without` names a safeguard that every service is started without, see sabotage.py; `clock` is the
    environment of the service whose clock is wrong, see skew.py.
    """

    def __init__(self, folder: Path, without: str | None, clock: Mapping[str, str]) -> None:
        own = free_ports(PREFERRED_PORTS)
        front = free_ports(PROXIED)
        self.proxies = {name: Proxy(front[name], own[name]) for name in PROXIED}
        self.stack = ChaosStack(folder, without=without, clock=clock, ports=own, front=front)
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for proxy in self.proxies.values():
            await proxy.open()
            self._opened.push_async_callback(proxy.close)
        try:
            await self._opened.enter_async_context(self.stack)
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def straight(self, name: str) -> str:
        """Return the host:port of a process itself, past its proxy."""
        return self.stack.site.own_address(name)
