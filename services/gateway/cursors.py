"""Where the next page of a list begins, as an opaque text that clients hand back."""

import base64
import binascii
import re

_POSITION = re.compile(r"[0-9]{13}(:[0-9]{1,9})?")


class CursorError(Exception):
    """The text is no cursor that this list has given."""


def cursor_of(position: str) -> str:
    """Return the cursor that stands for `position`: a time in ms, and where needed `:attempt`."""
    return base64.urlsafe_b64encode(position.encode()).rstrip(b"=").decode()


def position_of(cursor: str | None) -> str | None:
    """Return the position `cursor` stands for, None for the beginning. Raises CursorError.

    What it returns is made of digits alone, and so safe in a query.
    """
    if cursor is None:
        return None
    try:
        position = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (UnicodeError, ValueError, binascii.Error) as error:
        raise CursorError("unreadable") from error
    if not _POSITION.fullmatch(position):
        raise CursorError("no position")
    return position
