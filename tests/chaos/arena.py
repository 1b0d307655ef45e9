"""The stack under test: everything behind proxies, second replicas of some services, short leases."""

import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from deploy.local.ports import free_ports
from deploy.local.processes import Child, Program
from deploy.local.site import BROKER_PORTS, ENGINE_VARIABLES, PREFERRED_PORTS, SERVICES, parts
from deploy.local.stack import LocalStack
from tests.chaos.plan import PROXIED, REPLICAS
from tests.chaos.proxy import Proxy
from tests.chaos.skew import USUAL, Clocks
from tests.replicas import replica

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
    "gateway": {
        "REANNOUNCE_AFTER": "3",
        "REANNOUNCE_MOST": "8",
        "ACCESS_TOKEN_LIFE": "PT12H",
        "VIDEO_QUOTA": "1000000",  # nobody runs into it, also where a database does not free the places in it
    },
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

_FOR_PAIRS: Mapping[str, Mapping[str, str]] = {
    "gateway": {"REANNOUNCE_AFTER": "3600", "REANNOUNCE_MOST": "3600"},
    "generator": {"WORKFLOW_DEADLINE": "600", "WORKFLOW_DEADLINE_MOST": "900"},
    "media": {"TRANSFER_DEADLINE": "600", "FETCH_SLOWEST": "1000"},
}
"""No job may miss its deadline, and nothing is asked for again: what one replica leaves, the other has to find."""
_FOR_WRONG_CLOCKS: Mapping[str, Mapping[str, str]] = {
    "generator": {"WORKFLOW_DEADLINE": "660", "WORKFLOW_DEADLINE_MOST": "720"},
    "media": {"TRANSFER_DEADLINE": "660"},
}
"""A minute, and the ten by which a clock may be ahead."""
PAIRS = tuple(f"{name}-2" for name in SERVICES)
_CALLED_BY_ADDRESS = ("gateway", "notifier")


class ChaosStack(LocalStack):
    """A LocalStack with replicas, whose services may be started with one of their safeguards switched off."""

    def __init__(
        self,
        folder: Path,
        *,
        without: str | None,
        clocks: Clocks,
        ports: Mapping[str, int],
        front: Mapping[str, int],
        pairs: bool,
    ) -> None:
        own = _FOR_PAIRS if pairs else {} if clocks.keys() <= {USUAL} else _FOR_WRONG_CLOCKS
        settings = {name: {**values, **own.get(name, {}), **clocks.get(name, {})} for name, values in _SETTINGS.items()}
        for name in SERVICES:
            settings[name]["KAFKA_STANDSTILL"] = KAFKA_STANDSTILL
        if "workflow" in front:
            settings["workflow"]["WORKFLOW_PUBLIC_URL"] = f"http://127.0.0.1:{front['workflow']}"
        super().__init__(folder, engines=ENGINE_VARIABLES, ports=ports, advertised=front, overrides=settings)
        self._without = without
        self._replicas = PAIRS if pairs else REPLICAS

    async def start_all(self) -> None:
        """Start everything, then the replicas."""
        await super().start_all()
        await self._start_new(replica(self, name) for name in self._replicas)

    async def stop_all(self) -> None:
        """Stop the replicas, then everything else. What is frozen hears of it first."""
        for name in self.children:
            self.resume(name)
        for name in self._replicas:
            if self.pid(name) is not None:
                await self.stop(name)
        await super().stop_all()

    def _child(self, program: Program) -> Child:
        name = program.name.partition("-")[0]
        if self._without is not None and name in SERVICES and program.name not in ENGINE_VARIABLES:
            argv = [sys.executable, "-m", "tests.chaos.sabotage", self._without, name]
            program = replace(program, argv=argv)
        return super()._child(program)


class Arena:
    """The stack and the proxies in front of it; entered and left together.

    `without` names a safeguard that every service is started without, see sabotage.py; `clocks` are
    those that are wrong, see skew.py. With `pairs` there are two of every service, no
    deadline is so short that a job may miss it and nothing is asked for again; proxies stand only where calls are
    shared between two.
    """

    def __init__(self, folder: Path, without: str | None, clocks: Clocks, *, pairs: bool = False) -> None:
        twins = PAIRS if pairs else REPLICAS
        own = free_ports((*PREFERRED_PORTS, *BROKER_PORTS, *twins))
        proxied = _CALLED_BY_ADDRESS if pairs else PROXIED
        front = free_ports(part for name in proxied for part in parts(name, os.environ))
        self.proxies = {
            name: Proxy(port, own[name], *(own[twin] for twin in twins if twin == f"{name}-2"))
            for name, port in front.items()
        }
        self.stack = ChaosStack(folder, without=without, clocks=clocks, ports=own, front=front, pairs=pairs)
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

    @property
    def streams(self) -> list[str]:
        """Where live streams are: at every notifier, as behind an edge; at the gateway where there is but one."""
        if "notifier-2" in self.stack.site.ports:
            return [f"http://{self.straight(name)}" for name in ("notifier", "notifier-2")]
        return [self.stack.url("gateway")]

    def straight(self, name: str) -> str:
        """Return the host:port of a process itself, past its proxy."""
        return self.stack.site.own_address(name)
