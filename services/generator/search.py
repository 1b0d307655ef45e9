"""Finding the execution of an attempt whose executionId nobody told us, by the Idempotency-Key of its call.

n8n does not search in data. So the newest executions are listed without them, and of those that began about when we
called, the nearest first, the data are looked at: mostly the first one is it. All of it is bounded; where the bounds
are reached nothing is concluded.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from services.generator.attempt import Attempt, Kind
from services.generator.evidence import Owner, is_no_call_of_ours, owner_of
from services.generator.executions import Execution
from services.generator.runs import NotToldError, Page, Runs, TooMuchError
from shared.contracts.wire import utc_now

SECONDS = 20.0
MOST_PAGES = 10
MOST_LOOKED_AT = 25
CLOCK_SLACK = timedelta(minutes=2)
CLOCK_STEP = timedelta(seconds=3)
AT_ONCE = 2


Known = Callable[[Kind, datetime, list[str]], Awaitable[set[str]]]
"""Returns those of the ids that attempts of this kind, called since then, are known to run as."""


class Search:
    """Looks through the executions of an engine that are `known` to be no other attempt's, in few places at once."""

    def __init__(self, runs: Runs, known: Known) -> None:
        self._runs = runs
        self._known = known
        self._places = asyncio.Semaphore(AT_ONCE)

    async def find(self, attempt: Attempt, *, wait: bool) -> Execution | None:
        """Return the attempt's execution, with its data; None where it certainly has none.

        Raises NotToldError where not everything that may be it could be looked at; without `wait` also where others
        are being searched for.
        """
        if self._places.locked() and not wait:
            raise NotToldError("others are being searched for")
        try:
            async with self._places, asyncio.timeout(SECONDS):
                return await self._find(attempt)
        except TimeoutError as error:
            raise NotToldError("the search took too long") from error

    async def _find(self, attempt: Attempt) -> Execution | None:
        listing = _Listing(attempt)
        # First what runs: what ends between two lists is in the second one, the other way round it were in neither. And
        # at last once more: what only waited, which is in the second list, may go on between the first and that one.
        for status in ("running", None, "running"):
            await self._list(attempt, listing, status)
        candidates = listing.nearest()
        # Only recent ones are known for certain: n8n gives the same ids again when its database is made anew.
        since = listing.called_at - CLOCK_SLACK
        known = await self._known(attempt.kind, since, [candidate.id for candidate in candidates])
        candidates = [candidate for candidate in candidates if candidate.id not in known]
        for candidate in candidates[:MOST_LOOKED_AT]:
            try:
                execution = await self._runs.look(attempt.kind, candidate.id, with_data=True)
            except TooMuchError:
                listing.all_seen = False
                continue
            owner = owner_of(execution.data, attempt) if execution else Owner.FOREIGN
            if owner is Owner.OURS:
                return execution
            listing.all_seen &= owner is Owner.FOREIGN or is_no_call_of_ours(execution.data if execution else None)
        if not listing.all_seen or len(candidates) > MOST_LOOKED_AT:
            raise NotToldError("not all that may be it could be looked at")
        return None

    async def _list(self, attempt: Attempt, listing: "_Listing", status: str | None) -> None:
        cursor = None
        for _ in range(MOST_PAGES):
            page = await self._runs.page(attempt.kind, status=status, cursor=cursor)
            if listing.take(page):
                return
            cursor = page.next_cursor
            if cursor is None:
                # That nothing runs is an answer; where nothing ended before the call, that may be hidden from us.
                listing.all_seen &= status is not None or listing.reaches_back
                return
        listing.all_seen = False


class _Listing:
    """The executions that may be the attempt's, by how near to the call they began.

    Ages are compared, not moments: the engine's clock need not be ours.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.all_seen = True
        self.reaches_back = False
        self.called_at = attempt.called_at or attempt.created_at
        self._found: dict[str, tuple[timedelta, Execution]] = {}

    def take(self, page: Page) -> bool:
        """Keep what may be it; return whether the page reaches back so far that it can be on no later one."""
        age = utc_now() - self.called_at
        if page.told_at is None or age < timedelta(0):
            self.all_seen = False  # without a clock to go by
        now = page.told_at or utc_now()
        for execution in page.executions:
            later = age - _age(execution, now, age)
            self.reaches_back |= later < -CLOCK_STEP
            if later < -CLOCK_SLACK:
                return True
            if execution.may_be_a_call:
                self._found[execution.id] = (abs(later), execution)
        return False

    def nearest(self) -> list[Execution]:
        """Return them, those first that began nearest to the call."""
        return [execution for _, execution in sorted(self._found.values(), key=_distance)]


def _age(execution: Execution, now: datetime, unknown: timedelta) -> timedelta:
    return unknown if execution.started_at is None else now - execution.started_at


def _distance(found: tuple[timedelta, Execution]) -> timedelta:
    return found[0]
