"""One run: the stack is started, driven and broken; then it is healed, left to come to rest, and judged."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deploy.local.private_file import write_private
from tests.chaos import disk, operators, strangers
from tests.chaos.api import Api
from tests.chaos.arena import TRANSFER_DEADLINE, WORKFLOW_DEADLINE_MOST, Arena
from tests.chaos.checker import Verdict, check
from tests.chaos.display import Display
from tests.chaos.disruptor import Disruptor
from tests.chaos.evidence import HISTORY, STORED, Evidence
from tests.chaos.history import History
from tests.chaos.plan import Plan
from tests.chaos.quiet import wait_for_quiet
from tests.chaos.reading import Reading
from tests.chaos.skew import Clocks
from tests.chaos.sources import sources
from tests.chaos.users import User
from tests.waiting import until

QUIET_SECONDS = WORKFLOW_DEADLINE_MOST + TRANSFER_DEADLINE + 60
STORAGE = Path("stack/data/s3")
_ANSWERED_SECONDS = 60.0
_SHOWN_SECONDS = 15.0

Course = Callable[[Arena, Disruptor, Sequence[User]], Coroutine[Any, Any, None]]
"""Has people ask for videos and breaks things, and returns when all of that was done."""


async def run(
    plan: Plan,
    folder: Path,
    display: Display,
    *,
    without: str | None = None,
    quiet_seconds: float = QUIET_SECONDS,
    disk_megabytes: int = 0,
    clocks: Clocks | None = None,
    pairs: bool = False,
    course: Course | None = None,
) -> Verdict:
    """Carry out `plan` in `folder`, which is emptied first, and return what came of it. For `pairs` see Arena.

    A `course` breaks things in the place of the plan's disruptions, not by the clock but as things go. The history,
    what was stored and the logs stay in the folder; data goes. Raises StartFailed.
    """
    _prepare(folder, plan, without)
    data = folder / "stack"
    with (
        History(folder / HISTORY) as history,
        sources(folder / "sources") as addresses,
        disk.small_disk(folder / STORAGE, disk_megabytes) as fill,
    ):
        async with Arena(data, without, clocks or {}, pairs=pairs) as arena, Reading(arena) as reading:
            disruptor = Disruptor(arena, history, plan.asks, fill)
            one = _Run(plan, arena, reading, disruptor, history, display, addresses, course)
            await one.carry_out(folder, quiet_seconds)
    for rest in ("data", "home"):
        shutil.rmtree(data / rest, ignore_errors=True)
    return check(Evidence.read(folder))


def _prepare(folder: Path, plan: Plan, without: str | None) -> None:
    disk.release(folder / STORAGE)  # a run that was killed with -9 could not
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_private(folder / "plan.json", {"without": without, **asdict(plan)})


class _Run:
    """What belongs to one run, while it lasts."""

    def __init__(
        self,
        plan: Plan,
        arena: Arena,
        reading: Reading,
        disruptor: Disruptor,
        history: History,
        display: Display,
        addresses: dict[str, str],
        course: Course | None,
    ) -> None:
        self._plan = plan
        self._arena = arena
        self._reading = reading
        self._disruptor = disruptor
        self._history = history
        self._display = display
        self._addresses = addresses
        self._course = course

    async def carry_out(self, folder: Path, quiet_seconds: float) -> None:
        """Drive, break, heal, wait, and write down what is stored then."""
        await self._disruptor.tell_faults()
        async with self._people() as (users, stranger, operator):
            self._history.begin()
            acting = [
                *(asyncio.create_task(self._act(user, number)) for number, user in enumerate(users)),
                asyncio.create_task(
                    strangers.report(stranger, self._history, self._arena.stack.webhook_secret, self._plan.reports)
                ),
                asyncio.create_task(
                    operators.attach(operator, self._history, _newest_of(users), self._plan.attachments)
                ),
            ]
            looking = [asyncio.create_task(look) for user in users for look in (user.look(), user.listen())]
            try:
                await self._break(users)
                looking.append(asyncio.create_task(self._disruptor.watch()))
                await self._answered(acting)
                await self._rest(users, folder, quiet_seconds)
            finally:
                await _end(*acting, *looking)

    async def _break(self, users: Sequence[User]) -> None:
        watching = asyncio.create_task(self._disruptor.watch())
        harming = asyncio.create_task(self._harm(users))
        try:
            while self._history.now() < self._plan.seconds or not harming.done():
                self._display.progress(self._plan, self._history, self._disruptor.done)
                await asyncio.sleep(0.5)
            harming.result()
        finally:
            await _end(harming, watching)
            self._display.say("healing: everything is started, resumed and connected again")
            await self._disruptor.heal()

    async def _harm(self, users: Sequence[User]) -> None:
        if self._course is None:
            await self._disruptor.run(self._plan.disruptions)
        else:
            await self._course(self._arena, self._disruptor, users)

    async def _answered(self, acting: Sequence["asyncio.Task[None]"]) -> None:
        done, waiting = await asyncio.wait(acting, timeout=_ANSWERED_SECONDS)
        for task in done:
            task.result()
        if waiting:
            self._display.say(f"{len(waiting)} users still wait for an answer")

    async def _rest(self, users: Sequence[User], folder: Path, quiet_seconds: float) -> None:
        began = time.monotonic()
        stored, busy = await wait_for_quiet(self._reading, quiet_seconds, self._display.waiting)
        took = time.monotonic() - began
        self._display.say(
            f"quiet after {took:.0f} s" if not busy else f"not quiet after {took:.0f} s: {len(busy)} open"
        )
        replace(stored, webhooks=await self._reading.webhooks()).write(folder / STORED)
        for user in users:
            async with asyncio.timeout(_ANSWERED_SECONDS):
                await user.look_at_all()
        await self._all_shown(users)

    async def _all_shown(self, users: Sequence[User]) -> None:
        def shown() -> bool:
            return all(user.is_up_to_date() for user in users)

        with contextlib.suppress(AssertionError):  # the checker says so, and about whom
            await until(shown, within_seconds=_SHOWN_SECONDS)

    async def _act(self, user: User, number: int) -> None:
        asks = [ask for ask in self._plan.asks if ask.user == number]
        await user.act(asks, [wish for wish in self._plan.wishes if wish.user == number])

    @asynccontextmanager
    async def _people(self) -> AsyncIterator[tuple[list[User], Api, Api]]:
        url = self._arena.stack.url("gateway")
        async with contextlib.AsyncExitStack() as clients:
            users = []
            for number in range(self._plan.users):
                api = Api(url, self._history, f"user-{number}")
                clients.push_async_callback(api.client.aclose)
                await api.log_in()
                users.append(User(api, self._history, self._addresses, self._arena.streams))
            stranger = Api(url, self._history, "stranger")
            operator = Api(url, self._history, "operator")
            operator.client.headers["Authorization"] = f"Bearer {self._arena.stack.admin_token}"
            for other in (stranger, operator):
                clients.push_async_callback(other.client.aclose)
            yield users, stranger, operator


def _newest_of(users: Sequence[User]) -> operators.Newest:
    return lambda number: users[number].videos[-1] if users[number].videos else None


async def _end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
