"""Many things begun at once: all of them done, or none goes on."""

import asyncio

import pytest

from shared.wiring.together import all_or_none


async def test_all_are_done_at_once() -> None:
    met = asyncio.Barrier(3)

    async def meet() -> None:
        await met.wait()

    await all_or_none(meet() for _ in range(3))
    assert met.n_waiting == 0


@pytest.mark.parametrize("how", ["fails", "cancelled"])
async def test_none_goes_on_where_one_fails_or_it_is_cancelled(how: str) -> None:
    begun, ended = asyncio.Event(), []

    async def stay() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # ending takes a moment, and is waited for
            ended.append("stay")

    async def fail() -> None:
        await begun.wait()
        if how == "fails":
            raise ValueError("no")
        await asyncio.Event().wait()

    running = asyncio.create_task(all_or_none([stay(), fail()]))
    await begun.wait()
    if how == "cancelled":
        running.cancel()
    with pytest.raises(ValueError if how == "fails" else asyncio.CancelledError):
        await running
    assert ended == ["stay"]
