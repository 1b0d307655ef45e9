"""Sabotage hits what it is meant to hit: a renamed method would leave a safeguard in place unnoticed."""

import pytest

from shared.delivery.leases import Lease
from shared.delivery.outbox import Outbox
from shared.delivery.workers import Workers
from tests.chaos import sabotage


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, str]]:
    """What is replaced, without replacing it for the tests that follow."""
    replaced: list[tuple[object, str]] = []

    def note(owner: object, name: str, _: object) -> None:
        getattr(owner, name)
        replaced.append((owner, name))

    monkeypatch.setattr(sabotage, "_put", note)
    return replaced


@pytest.mark.parametrize("what", sabotage.SABOTAGES)
def test_what_is_replaced_is_there(put: list[tuple[object, str]], what: str) -> None:
    sabotage.SABOTAGES[what]()
    assert put


def test_the_delivery_core_is_hit(put: list[tuple[object, str]]) -> None:
    for what in ("sweep", "takeover", "fencing"):
        sabotage.SABOTAGES[what]()
    assert put == [(Outbox, "run"), (Workers, "_take_over_dead"), (Lease, "__init__")]


def test_a_lease_still_keeps_its_token_where_fencing_looks_for_it() -> None:
    lease = Lease(None, {"_id": 1, "job": {"kind": "x", "tries": 0, "token": "t"}})  # type: ignore[arg-type]
    assert lease._held == {"_id": 1, "job.token": "t"}
