"""A cancellation that comes in the very moment of an answer ends what it was meant to end."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from shared.wiring.cancellation import lose_no_cancellation, to_its_end

MOMENTS = 12


async def _cancelled_after(turns: int) -> bool:
    """Cancel what waits for an answer after so many turns of the loop; return whether it noticed."""
    lose_no_cancellation()
    ended = False

    async def answer() -> str:
        await asyncio.sleep(0)
        return "here"

    async def ask_for_ever() -> None:
        nonlocal ended
        try:
            await asyncio.wait_for(answer(), 10)
            await asyncio.Event().wait()
        finally:
            ended = True

    asking = asyncio.create_task(ask_for_ever())
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking}, timeout=0.2)
    noticed = ended
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return noticed


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("turns", range(1, MOMENTS))
def test_it_is_never_swallowed(new_loop: Callable[[], asyncio.AbstractEventLoop], turns: int) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(_cancelled_after(turns))


@pytest.mark.parametrize("seconds", [0, -1, 0.01])
async def test_time_that_runs_out_is_a_timeout(seconds: float) -> None:
    lose_no_cancellation()
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(never, seconds)
    assert never.cancelled()


async def test_no_time_limit_waits_on() -> None:
    lose_no_cancellation()
    assert await asyncio.wait_for(asyncio.sleep(0, "here"), None) == "here"


async def test_what_must_not_be_cut_off_is_over_before_the_cancellation_is_raised() -> None:
    told, over = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await told.wait()
        over.set()

    closing = asyncio.create_task(to_its_end(close()))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing}, timeout=0.05)
    assert not closing.done()
    told.set()
    await asyncio.wait({closing})
    assert closing.cancelled()
    assert over.is_set()


async def test_whoever_is_cancelled_twice_waits_no_more() -> None:
    closing = asyncio.create_task(to_its_end(asyncio.sleep(60)))
    for _ in range(2):
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({closing}, timeout=1)
    assert closing.cancelled()


async def test_what_it_raises_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await to_its_end(fails())


async def test_a_cancellation_of_its_own_is_nobody_elses() -> None:
    """aiokafka awaits tasks that it has cancelled, and raises what comes of it to whoever stops its client."""
    own = asyncio.get_running_loop().create_future()
    own.cancel()

    async def close() -> None:
        await own

    assert await to_its_end(close())


async def test_it_may_take_too_long_and_is_still_not_cut_off() -> None:
    going_on, over = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await going_on.wait()
        over.set()

    assert not await to_its_end(close(), 0.01)
    going_on.set()
    await asyncio.wait_for(over.wait(), 1)
