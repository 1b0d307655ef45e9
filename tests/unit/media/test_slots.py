"""Which jobs may begin beside those under way."""

from datetime import timedelta
from typing import Any

import pytest

from services.media.slots import Slots
from shared.contracts.wire import utc_now

SLOTS = Slots(transfers=4, imports=3, imports_per_user=2, unreachable_for=timedelta(minutes=5))
LONG_AGO, JUST_NOW, SOON = timedelta(minutes=-6), timedelta(), timedelta(minutes=6)
RENDERED: dict[str, Any] = {"imported": False}
ERASED: dict[str, Any] = {"job": {"kind": "erase"}}


def asset(user: str = "ann", **changes: Any) -> dict[str, Any]:
    return {"userId": user, "imported": True, "job": {"kind": "transfer"}, **changes}


def fits(query: dict[str, Any], document: dict[str, Any]) -> bool:
    """Return whether the database would find `document`; knows just the operators that are used."""
    return all(
        any(fits(one, document) for one in wanted) if name == "$or" else matches(value_of(document, name), wanted)
        for name, wanted in query.items()
    )


def value_of(document: dict[str, Any], name: str) -> Any:
    value: Any = document
    for part in name.split("."):
        value = value.get(part)
    return utc_now() + value if isinstance(value, timedelta) else value


def matches(value: Any, wanted: Any) -> bool:
    match wanted:
        case {"$ne": other}:
            return bool(value != other)
        case {"$nin": others}:
            return value not in others
        case {"$gt": after, "$lte": before}:
            return value is not None and after < value <= before
    return bool(value == wanted)


@pytest.mark.parametrize(
    ("running", "next_one", "may_begin"),
    [
        ([], asset(), True),
        ([asset()], asset(), True),
        ([asset(), asset()], asset(), False),
        ([asset(), asset()], asset("ben"), True),
        ([asset(), asset()], asset(**RENDERED), True),
        ([asset(), asset()], asset(**ERASED), True),
        ([asset(), asset(), asset("ben")], asset("cem"), False),
        ([asset(), asset(), asset("ben")], asset("cem", **RENDERED), True),
        ([asset(**RENDERED)] * 3, asset(**RENDERED), True),
        ([asset(**RENDERED)] * 4, asset("ben", **RENDERED), False),
        ([asset(**RENDERED)] * 4, asset(**ERASED), True),
        ([asset(**ERASED)] * 4, asset(), True),
        ([asset(), asset()], asset(unreachableSince=LONG_AGO), True),
        ([asset(), asset()], asset(unreachableSince=JUST_NOW), False),
        ([asset(**RENDERED)] * 4, asset(unreachableSince=LONG_AGO, **RENDERED), False),
        ([asset(**RENDERED)] * 4, asset(deadlineAt=LONG_AGO, **RENDERED), True),
        ([asset(**RENDERED)] * 4, asset(deadlineAt=SOON, **RENDERED), False),
    ],
)
def test_room(running: list[dict[str, Any]], next_one: dict[str, Any], may_begin: bool) -> None:
    assert fits(SLOTS.room(running), next_one) is may_begin


def test_erasing_has_places_of_its_own() -> None:
    assert SLOTS.all > SLOTS.transfers
