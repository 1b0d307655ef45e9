"""Breaks what the plan says when it says so, and puts it together again."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx

from deploy.local.processes import StartFailed, describe_exit
from tests.chaos.arena import Arena
from tests.chaos.history import History
from tests.chaos.plan import Ask, Disruption, Harm

_WATCH_SECONDS = 0.25
_READY_SECONDS = 120.0


class Disruptor:
    """One run's disruptions. What died by itself is written down, and started again as `make up` would."""

    def __init__(self, arena: Arena, history: History, asks: Sequence[Ask], fill: Callable[[bool], None]) -> None:
        self._arena = arena
        self._history = history
        self._faults = {ask.title: list(ask.faults) for ask in asks if ask.faults}
        self._fill = fill
        self._down: set[str] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.done = 0

    async def run(self, disruptions: Sequence[Disruption]) -> None:
        """Carry out `disruptions` at their times; returns when the last one has begun."""
        for disruption in disruptions:
            await asyncio.sleep(max(0.0, disruption.at - self._history.now()))
            self._tasks.append(asyncio.create_task(self._harm(disruption)))

    async def watch(self) -> None:
        """Start again what ended although nobody ended it, until cancelled."""
        while True:
            for name, child in self._arena.stack.children.items():
                if child.pid is None and name not in self._down:
                    how = describe_exit(child.exit_code())
                    self._history.add("died", process=name, how=how, last=child.last_lines(5))
                    child.start()
                    await self._started(name)
            await asyncio.sleep(_WATCH_SECONDS)

    async def tell_faults(self) -> None:
        """Tell the workflow engine what to do wrong; it knows no more after a kill."""
        async with self._engine() as engine:
            for title, faults in self._faults.items():
                (await engine.put("/control/faults", params={"job": title}, json={"faults": faults})).raise_for_status()

    async def heal(self) -> None:
        """End every disruption now: what is dead is started, what is frozen resumed, the faults are cleared.

        Raises StartFailed where something cannot be brought back. What dies meanwhile is not looked after by `watch`.
        """
        await self.ended()
        for child in self._arena.stack.children.values():
            if child.pid is None:
                child.start()
        await asyncio.gather(*(child.wait_ready(_READY_SECONDS) for child in self._arena.stack.children.values()))
        async with self._engine() as engine:
            await engine.delete("/control/faults")
        self._history.add("healed")

    async def ended(self) -> None:
        """End every disruption now, and return when each has put together again what it broke."""
        self._over.set()
        await asyncio.gather(*self._tasks)

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[None]:
        """Have a process killed for as long as this is entered. Its next start is not waited for."""
        self._note("kill", name, None)
        async with self._killed(name):
            yield

    async def _harm(self, disruption: Disruption) -> None:
        """Break one thing; whoever breaks it already, longer than planned on a busy machine, ends that first."""
        async with self._turns[disruption.target]:
            await self._break(disruption)

    async def _break(self, disruption: Disruption) -> None:
        name, seconds = disruption.target, disruption.seconds
        self._note(disruption.harm, name, seconds)
        match disruption.harm:
            case "kill":
                async with self._killed(name):
                    await self._last(seconds)
            case "restart":
                await self._restart(name)
            case "freeze":
                self._arena.stack.pause(name)
                await self._last(seconds)
                self._arena.stack.resume(name)
            case "fill":
                await asyncio.to_thread(self._fill, True)
                await self._last(seconds)
                self._fill(False)
            case _:
                await self._disconnect(disruption)

    def _note(self, harm: Harm, name: str, seconds: float | None) -> None:
        self._history.add("disruption", harm=harm, target=name, seconds=seconds)
        self.done += 1

    @asynccontextmanager
    async def _killed(self, name: str) -> AsyncIterator[None]:
        child = self._arena.stack.children[name]
        self._down.add(name)
        await child.kill()
        yield
        child.start()
        await self._started(name)

    async def _restart(self, name: str) -> None:
        child = self._arena.stack.children[name]
        self._down.add(name)
        if not await child.stop():
            self._history.add("overslept", process=name)
        child.start()
        await self._started(name)

    async def _disconnect(self, disruption: Disruption) -> None:
        proxy = self._arena.proxies[disruption.target]
        if disruption.harm == "cut":
            proxy.cut()
            return
        if disruption.harm == "refuse":
            await proxy.refuse()
        else:
            proxy.stall()
        await self._last(disruption.seconds)
        await proxy.heal()

    async def _started(self, name: str) -> None:
        """See to what a fresh process needs. It may not get ready before what it leans on is back; nobody waits."""
        self._down.discard(name)
        if name == "workflow":
            try:
                await self._arena.stack.children[name].wait_ready(_READY_SECONDS)
                await self.tell_faults()
            except (StartFailed, httpx.HTTPError) as error:
                self._history.add("engine-away", error=repr(error))

    async def _last(self, seconds: float) -> None:
        """Leave something broken for so long, or until the end of the run."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    def _engine(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{self._arena.straight('workflow')}", timeout=20, trust_env=False)
