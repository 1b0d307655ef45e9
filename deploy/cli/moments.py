"""Moments as people type them."""

import argparse
import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """Return the moment that ISO 8601 text names (UTC where it says no zone), or that is so long ago.

    Raises argparse.ArgumentTypeError.
    """
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        named = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment; write 2025-10-02T13:29:00Z, or 2h for ago") from error
    return named if named.tzinfo else named.replace(tzinfo=UTC)
