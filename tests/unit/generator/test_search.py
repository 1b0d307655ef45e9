"""Finding a run nobody named: what is looked at, and when its absence is certain."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.generator.attempt import Attempt, Kind, State
from services.generator.executions import Execution
from services.generator.runs import NotToldError, Page, Runs, TooMuchError
from services.generator.search import MOST_LOOKED_AT, MOST_PAGES, Search
from shared.contracts.wire import utc_now
from tests.unit.generator.test_evidence import CALL, ended, running
from tests.unit.generator.test_table import attempt_in

FOREIGN = {**CALL, "headers": {"idempotency-key": "video_9_z:1"}}
AGO = timedelta(minutes=10)


class Engine(Runs):
    """Holds executions, newest first, as they were added; `clock` is how far its clock is from ours."""

    def __init__(self, clock: timedelta = timedelta(0), page: int = 3) -> None:
        super().__init__({}, "key", timedelta(seconds=1))
        self.clock, self.per_page = clock, page
        self.tells_time = True
        self.held: list[Execution] = []
        self.looked_at: list[str] = []
        self.refuses: set[str | None] = set()
        self.too_much: set[str] = set()
        self.others: set[str] = set()

    def add(self, after: float, data: dict[str, Any] | None, status: str = "success", **changes: Any) -> str:
        """Hold one that began so many seconds after our call."""
        began = utc_now() - AGO + timedelta(seconds=after) + self.clock
        fields = {"id": str(len(self.held) + 1), "status": status, "startedAt": began, "data": data, "mode": "webhook"}
        self.held.append(Execution.model_validate({**fields, **changes}))
        return self.held[-1].id

    async def look(self, kind: Kind, execution_id: str, *, with_data: bool = False) -> Execution | None:
        self.looked_at.append(execution_id)
        if execution_id in self.too_much:
            raise TooMuchError
        return next((one for one in self.held if one.id == execution_id), None)

    async def known(self, kind: Kind, called_since: datetime, ids: list[str]) -> set[str]:
        assert abs(utc_now() - AGO - timedelta(minutes=2) - called_since) < timedelta(seconds=30)
        return self.others & set(ids)

    async def none_known(self, kind: Kind, called_since: datetime, ids: list[str]) -> set[str]:
        return set()

    async def page(self, kind: Kind, *, status: str | None = None, cursor: str | None = None) -> Page:
        if status in self.refuses:
            raise NotToldError
        runs = [one for one in reversed(self.held) if (one.status == "running") == (status == "running")]
        at = int(cursor or 0)
        told_at: datetime | None = utc_now() + self.clock if self.tells_time else None
        rest = str(at + self.per_page) if len(runs) > at + self.per_page else None
        return Page(tuple(runs[at : at + self.per_page]), rest, told_at)


def called() -> Attempt:
    return attempt_in(State.UNKNOWN).but(called_at=utc_now() - AGO)


async def found(engine: Engine) -> str | None:
    execution = await Search(engine, engine.known).find(called(), wait=False)
    return execution.id if execution else None


CLOCKS = [timedelta(0), timedelta(minutes=-30), timedelta(hours=5)]


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
async def test_the_run_that_began_when_we_called_is_looked_at_first(clock: timedelta) -> None:
    engine = Engine(clock)
    engine.add(-3600, ended(call=FOREIGN))
    engine.add(-60, ended(call=FOREIGN))
    ours = engine.add(1, ended())
    for seconds in range(60, 400, 60):
        engine.add(seconds, ended(call=FOREIGN))
    assert await found(engine) == ours
    assert engine.looked_at == [ours]


async def test_what_runs_is_listed_on_its_own() -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    ours = engine.add(0, running(), "running")
    assert await found(engine) == ours


@pytest.mark.parametrize(
    ("was", "becomes", "data"), [("running", "success", ended()), ("waiting", "running", running())]
)
async def test_what_changes_between_two_lists_is_found(was: str, becomes: str, data: dict[str, Any]) -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    ours = engine.add(0, data, was)
    listed = engine.page

    async def page(kind: Kind, *, status: str | None = None, cursor: str | None = None) -> Page:
        shown = await listed(kind, status=status, cursor=cursor)
        engine.held[-1] = engine.held[-1].model_copy(update={"status": becomes})
        return shown

    engine.page = page  # type: ignore[method-assign]
    assert await found(engine) == ours


async def test_what_others_webhooks_began_is_not_it() -> None:
    """They are called without any key; ours never is."""
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    theirs = {"headers": {"user-agent": "GitHub-Hookshot"}, "params": {}, "query": {}, "body": {"action": "opened"}}
    engine.add(300, ended(call=theirs))
    assert await found(engine) is None
    engine.add(301, ended(call={**theirs, "headers": {}}))
    with pytest.raises(NotToldError):
        await found(engine)


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
async def test_it_is_gone_where_everything_since_the_call_was_seen(clock: timedelta) -> None:
    engine = Engine(clock)
    engine.add(-3600, ended())
    engine.add(-600, ended(), mode="webhook")
    foreign = [engine.add(seconds, ended(call=FOREIGN)) for seconds in (-60, 3, 300)]
    engine.add(2, None, mode="manual")
    engine.add(2, None, mode="error")
    assert await found(engine) is None
    assert sorted(engine.looked_at) == sorted(foreign)


def reaches_not_back(engine: Engine) -> None:
    del engine.held[0]


def begins_with_the_call(engine: Engine) -> None:
    engine.held[0] = engine.held[0].model_copy(update={"started_at": utc_now() - AGO})


def tells_no_time(engine: Engine) -> None:
    engine.tells_time = False


def hides_data(engine: Engine) -> None:
    engine.add(300, None)


def hides_calls(engine: Engine) -> None:
    engine.add(300, ended(call={"redacted": True}))


def is_too_much(engine: Engine) -> None:
    engine.too_much.add(engine.add(300, ended(call=FOREIGN)))


def lists_nothing_that_runs(engine: Engine) -> None:
    engine.refuses.add("running")


def lists_nothing(engine: Engine) -> None:
    engine.held.clear()


def has_run_a_lot(engine: Engine) -> None:
    engine.per_page = 100
    for _ in range(MOST_LOOKED_AT):
        engine.add(300, ended(call=FOREIGN))


def has_pages_without_end(engine: Engine) -> None:
    for _ in range(engine.per_page * MOST_PAGES):
        engine.add(300, None, mode="trigger")


@pytest.mark.parametrize(
    "obstacle",
    [
        reaches_not_back,
        begins_with_the_call,
        tells_no_time,
        hides_data,
        hides_calls,
        is_too_much,
        lists_nothing_that_runs,
        lists_nothing,
        has_run_a_lot,
        has_pages_without_end,
    ],
)
async def test_nothing_is_certain_where_not_all_was_seen(obstacle: Callable[[Engine], None]) -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    engine.add(3, ended(call=FOREIGN))
    assert await found(engine) is None
    obstacle(engine)
    with pytest.raises(NotToldError):
        await found(engine)
    assert len(engine.looked_at) <= 1 + MOST_LOOKED_AT


@pytest.mark.parametrize("obstacle", [reaches_not_back, tells_no_time, hides_data, is_too_much, has_run_a_lot])
async def test_it_is_found_although_not_all_can_be_seen(obstacle: Callable[[Engine], None]) -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    ours = engine.add(0, ended())
    obstacle(engine)
    assert await found(engine) == ours


async def test_a_short_history_is_enough_where_all_of_it_was_seen() -> None:
    engine = Engine()
    engine.add(-20, ended(call=FOREIGN))
    engine.add(30, ended(call=FOREIGN))
    assert await found(engine) is None


async def test_a_clock_of_ours_that_was_put_back_makes_nothing_certain() -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    later = called().but(called_at=utc_now() + AGO)
    with pytest.raises(NotToldError):
        await Search(engine, engine.none_known).find(later, wait=False)


async def test_the_runs_of_other_attempts_are_not_looked_at() -> None:
    engine = Engine(page=100)
    engine.add(-3600, ended(call=FOREIGN))
    for _ in range(MOST_LOOKED_AT):
        engine.others.add(engine.add(1, None))
    assert await found(engine) is None
    assert engine.looked_at == []
    ours = engine.add(0, ended())
    assert await found(engine) == ours


async def test_a_queued_run_has_not_begun() -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    ours = engine.add(0, running(), "waiting", startedAt=None)
    assert await found(engine) == ours


async def test_few_are_searched_for_at_once() -> None:
    engine = Engine()
    engine.add(-3600, ended(call=FOREIGN))
    ours = engine.add(0, ended())
    go_on = asyncio.Event()
    listed = engine.page

    async def page(kind: Kind, *, status: str | None = None, cursor: str | None = None) -> Page:
        await go_on.wait()
        return await listed(kind, status=status, cursor=cursor)

    engine.page = page  # type: ignore[method-assign]
    search = Search(engine, engine.known)
    first = [asyncio.create_task(search.find(called(), wait=False)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NotToldError):
        await search.find(called(), wait=False)
    patient = asyncio.create_task(search.find(called(), wait=True))
    go_on.set()
    assert [execution.id for execution in await asyncio.gather(*first, patient) if execution] == [ours] * 3
