"""The arithmetic of the bench: percentiles, medians, ratios of paired rounds, and the rows that show them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class BrokenRun(Exception):
    """A request, event or byte went wrong: no figure of this run may be shown."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the least and greatest value behind it."""

    median: float
    least: float
    most: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie, interpolated between neighbours.

    Raises ValueError where there are no values or the share is outside 0 to 1.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and most of `values`. Raises ValueError where there are none."""
    if not values:
        raise ValueError("no spread of no values")
    return Spread(statistics.median(values), min(values), max(values))


def paired_ratios(ours: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return ours / base of each round: both halves of a pair met the same state of the machine.

    Raises ValueError where the rounds are no pairs or a base is not positive.
    """
    if len(ours) != len(base):
        raise ValueError(f"{len(ours)} rounds against {len(base)}")
    if any(value <= 0 for value in base):
        raise ValueError("a base line of nothing")
    return [mine / other for mine, other in zip(ours, base, strict=True)]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result: our value, and where there is one the base line and the ratio of the two."""

    name: str
    unit: str
    ours: Spread
    base: Spread | None = None
    ratio: Spread | None = None


def figure(name: str, unit: str, ours: Sequence[float], base: Sequence[float] | None = None) -> Figure:
    """Return the figure of these rounds; `base` holds the other half of each round's pair."""
    if base is None:
        return Figure(name, unit, spread(ours))
    return Figure(name, unit, spread(ours), spread(base), spread(paired_ratios(ours, base)))


@dataclass(frozen=True, slots=True)
class Section:
    """What one part of the bench found: its figures, and every round as it was measured."""

    name: str
    setup: dict[str, Any]
    rounds: list[dict[str, Any]]
    figures: list[Figure]
