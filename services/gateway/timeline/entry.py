"""One entry of a timeline. No framework in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, get_args

from services.gateway.outcomes import Settled, of
from shared.contracts.events import Level

Service = Literal["gateway", "generator", "media", "notifier"]

SERVICES: tuple[Service, ...] = get_args(Service)


class Weight(IntEnum):
    """What goes first where a timeline has grown too long: lowest weight, then oldest. Corners never go."""

    PASSING = 0
    STEP = 1
    CORNER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one service said, or received, about one attempt; `id` is the same however often it is told.

    `attempt` is None where the newest one is meant. `outcome` is what came of a webhook; `open` while that may change.
    """

    id: str
    video_id: str
    at: datetime
    service: Service
    code: str
    message: str
    attempt: int | None
    level: Level = "info"
    weight: Weight = Weight.CORNER
    trace_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    outcome: str | None = None
    open: bool = False

    @property
    def place(self) -> tuple[datetime, int, Weight, str]:
        """Return where it stands among others: by time; at the same moment as a video travels, steps before corners."""
        return self.at, SERVICES.index(self.service), self.weight, self.code


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a webhook: how that is said behind what it reported, and how much it matters."""

    words: str
    level: Level = "info"
    weight: Weight = Weight.STEP


REPLACED = "replaced"
"""What becomes of a webhook that an operator had judged again: no judgement of the generator's."""

_UNHEARD = "which nobody could match to a video, so it was put aside"
_JUDGEMENTS = {
    "applied": Judgement("which counted"),
    "adopted": Judgement("which was taken although the attempt had been given up", "warning", Weight.CORNER),
    "passed_on": Judgement("which counted"),
    "repeat": Judgement("which was known already"),
    "late": Judgement("which came too late and changed nothing", "warning", Weight.CORNER),
    "contradiction": Judgement("which contradicts what was known and changed nothing", "warning", Weight.CORNER),
    "held": Judgement("which is kept until it is clear what it is about", "warning"),
    "quarantined": Judgement(_UNHEARD, "error", Weight.CORNER),
    REPLACED: Judgement("which an operator had judged again"),
    "unknown_attempt": Judgement("which is about an attempt that nobody knows", "warning"),
}


UNSETTLED = frozenset({*of(Settled.HELD, Settled.UNPLACED), REPLACED})
"""Outcomes that another one may follow: the video becomes known, or a person says which one is meant."""


def judgement_of(outcome: str) -> Judgement:
    """Return what is to be said of an outcome, known here or not."""
    return _JUDGEMENTS.get(outcome) or Judgement(f"of which came: {outcome}")


def sentence(entry: Entry) -> str:
    """Return the entry in one plain sentence, with what came of it where it is a webhook."""
    if entry.outcome is None:
        return entry.message
    return f"{entry.message.removesuffix('.')}, {judgement_of(entry.outcome).words}."
