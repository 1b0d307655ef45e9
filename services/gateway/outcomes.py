"""What came of a webhook, and how far that settles it: the one table of outcomes. No framework in here."""

from collections.abc import Mapping
from enum import IntEnum


class Settled(IntEnum):
    """How far an outcome settles a webhook: only what settles more takes its place, of equals the first stays."""

    HELD = 1  # the generator goes on looking, and will say more
    UNPLACED = 2  # nobody could say what it is about; a person may
    CLOSED = 3  # it changed nothing, or a person wanted none of it
    IN_EFFECT = 4  # it counted, whatever is said of it when it comes again


_OUTCOMES: Mapping[Settled, tuple[str, ...]] = {
    Settled.HELD: ("held",),
    Settled.UNPLACED: ("unknown_attempt", "quarantined"),
    Settled.CLOSED: ("discarded", "repeat", "late", "contradiction"),
    Settled.IN_EFFECT: ("passed_on", "applied", "adopted"),
}


def of(*degrees: Settled) -> tuple[str, ...]:
    """Return the outcomes of these degrees."""
    return tuple(outcome for degree in degrees for outcome in _OUTCOMES[degree])


def replaceable_by(outcome: str) -> tuple[str | None, ...]:
    """Return what `outcome` takes the place of, None for nothing said yet; what only a newer release knows stays."""
    return None, *of(*(degree for degree in Settled if degree < _degree(outcome)))


def is_answer(outcome: str | None) -> bool:
    """Return whether the generator has said what came of it, so that it need not be asked any more."""
    return outcome is not None and _degree(outcome) > Settled.HELD


def _degree(outcome: str) -> Settled:
    known = (degree for degree, outcomes in _OUTCOMES.items() if outcome in outcomes)
    return next(known, Settled.CLOSED)  # of a newer release: something was concluded
