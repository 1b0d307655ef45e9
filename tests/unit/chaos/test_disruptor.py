"""What breaks one process takes turns: on a busy machine a stop takes longer than the plan thinks."""

import asyncio
from types import SimpleNamespace
from typing import cast

from tests.chaos.arena import Arena
from tests.chaos.disruptor import Disruptor
from tests.chaos.history import History
from tests.chaos.plan import Disruption


class Child:
    """A process that stops only when it is let, and starts only where it does not run."""

    def __init__(self) -> None:
        self.may_stop = asyncio.Event()
        self.runs = True
        self.starts = 0

    async def stop(self) -> bool:
        await self.may_stop.wait()
        self.runs = False
        return True

    async def kill(self) -> None:
        self.runs = False
        self.may_stop.set()  # whoever waits for its end sees it

    def start(self) -> None:
        assert not self.runs, "it is running already"
        self.runs = True
        self.starts += 1


async def test_a_kill_waits_for_the_restart_that_is_under_way() -> None:
    child = Child()
    arena = cast("Arena", SimpleNamespace(stack=SimpleNamespace(children={"media": child})))
    history = cast("History", SimpleNamespace(now=lambda: 9.0, add=lambda *_, **__: None))
    disruptor = Disruptor(arena, history, [], lambda _: None)
    await disruptor.run([Disruption(1.0, "media", "restart", 0.0), Disruption(2.0, "media", "kill", 0.0)])
    await asyncio.sleep(0)
    assert child.starts == 0
    child.may_stop.set()
    await disruptor.ended()
    assert (child.runs, child.starts) == (True, 2)
