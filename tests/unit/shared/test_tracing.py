import re

import pytest

from shared.wiring.tracing import current_traceparent, enter_trace

INCOMING = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_goes_on_with_a_span_of_its_own() -> None:
    mine = enter_trace(INCOMING)
    assert mine.split("-")[1] == INCOMING.split("-")[1]
    assert mine.split("-")[2] != INCOMING.split("-")[2]
    assert current_traceparent() == mine


@pytest.mark.parametrize(
    "hostile", [None, "", "x", INCOMING + "\n", INCOMING.upper(), "00-" + "0" * 32 + "-" + "1" * 16 + "-01"]
)
def test_what_is_not_well_formed_begins_a_new_trace(hostile: str | None) -> None:
    mine = enter_trace(hostile)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", mine)
    assert "0" * 32 not in mine
    assert "4bf92f" not in mine
