from collections.abc import Callable

import pytest

from tests.bench.figures import BrokenRun
from tests.bench.sse_clients import Listener, check


class _Open:
    ended = False


class _Ended:
    ended = True


@pytest.fixture
def listener() -> Callable[..., Listener]:
    def make(*told: str, stream: type = _Open) -> Listener:
        made = Listener(0)
        made.stream = stream()
        made.told = list(told)
        return made

    return make


def test_all_messages_once_in_any_order_are_right(listener: Callable[..., Listener]) -> None:
    check(listener("b", "a"), ["a", "b"])


@pytest.mark.parametrize(
    ("told", "why"),
    [(["a"], "missed 1 and got 0"), (["a", "b", "b"], "missed 0 and got 1"), (["a", "c"], "missed 1 and got 1")],
)
def test_a_lost_doubled_or_foreign_message_breaks_the_run(
    listener: Callable[..., Listener], told: list[str], why: str
) -> None:
    with pytest.raises(BrokenRun, match=why):
        check(listener(*told), ["a", "b"])


def test_a_stream_that_was_ended_breaks_the_run(listener: Callable[..., Listener]) -> None:
    with pytest.raises(BrokenRun, match="ended by the server"):
        check(listener("a", stream=_Ended), ["a"])
