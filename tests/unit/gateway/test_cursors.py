"""Cursors: what is given comes back, what is made up is refused."""

import base64

import pytest

from services.gateway.cursors import CursorError, cursor_of, position_of


@pytest.mark.parametrize("position", ["1795345752240", "1795345752240:000000012"])
def test_there_and_back(position: str) -> None:
    assert position_of(cursor_of(position)) == position


def test_none_is_the_beginning() -> None:
    assert position_of(None) is None


NO_POSITIONS = (b"179534575224", b"17953457522401", b"1795345752240:", b"1795345752240_x", b"{}", b"\xff", b"\x00" * 13)
MADE_UP = [base64.urlsafe_b64encode(position).decode() for position in NO_POSITIONS]


@pytest.mark.parametrize("cursor", ["", "x", "=", "ü", "\ud800", "A" * 10_000, "1795345752240", *MADE_UP], ids=ascii)
def test_what_was_never_given(cursor: str) -> None:
    with pytest.raises(CursorError):
        position_of(cursor)
