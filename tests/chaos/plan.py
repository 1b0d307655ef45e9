"""The timetable of a run: who asks for what, and what is broken when. Pure: the same seed gives the same plan."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from tests.chaos import faults

Json = dict[str, Any]
T = TypeVar("T")
Kind = Literal["create", "generate", "import"]
Wish = Literal["delete", "retry", "cancel"]
Harm = Literal["kill", "freeze", "restart", "cut", "refuse", "stall", "fill"]

USERS = 4
SERVICES = ("gateway", "generator", "media", "notifier")
REPLICAS = ("generator-2", "media-2")
DATABASES = ("gateway-db", "generator-db", "media-db", "notifier-db")
ENGINES = ("kafka", *DATABASES, "s3", "workflow")
REAL = {"kafka": ("kafka",), "kafka3": ("kafka",), "s3": ("s3",), "mongo": DATABASES}
"""What is run by each of the real engines that there are."""
PROXIED = ("gateway", "notifier", *ENGINES)

_KINDS: tuple[tuple[Kind, float], ...] = (("generate", 6), ("create", 2), ("import", 2))
_WISHES: tuple[tuple[Wish | None, float], ...] = ((None, 62), ("delete", 12), ("cancel", 12), ("retry", 14))

CALM_SECONDS = 4.0
"""At the beginning nothing is broken yet, so that there is something to lose."""
BACK_SECONDS = 8.0
"""A process that was ended is left alone for so long after it was started again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A user asks for a video: `copies` times at once, with one Idempotency-Key."""

    at: float
    user: int
    title: str
    kind: Kind
    faults: tuple[Json, ...] = ()
    copies: int = 1
    source: str = "video"
    """What an import names: a `video`, something that is `no-video`, or an address where `nobody` answers."""


@dataclass(frozen=True, slots=True)
class Do:
    """A user does something with the video of that title, once it was accepted."""

    at: float
    user: int
    title: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Report:
    """A workflow that is none of ours reports: nobody knows the video, or the execution."""

    at: float
    name: str
    purpose: Literal["complete", "error"]


@dataclass(frozen=True, slots=True)
class Attach:
    """Operators attach the newest webhook that found no video, at once, each to the newest video of another user."""

    at: float
    to_users: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Disruption:
    """`target` is harmed at `at` and left so for `seconds`."""

    at: float
    target: str
    harm: Harm
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that happens in a run of `seconds`, each list in order of time."""

    seed: int
    seconds: float
    asks: tuple[Ask, ...]
    wishes: tuple[Do, ...]
    reports: tuple[Report, ...]
    disruptions: tuple[Disruption, ...]
    attachments: tuple[Attach, ...] = ()
    users: int = USERS


@dataclass
class _Draw:
    """One seed's stream of choices."""

    chance: random.Random
    fillable: bool = False
    freezable: tuple[str, ...] = ()
    free_at: dict[str, float] = field(default_factory=dict)

    def one_of(self, weighted: Sequence[tuple[T, float]]) -> T:
        return self.chance.choices([value for value, _ in weighted], [weight for _, weight in weighted])[0]


def make_plan(seed: int, seconds: float, *, fillable: bool = False, freezable: tuple[str, ...] = ()) -> Plan:
    """Return the plan of a seed.

    `fillable` says that the storage lies on a small disk that can be filled; `freezable` names the engines that are
    frozen now and then, as services are.
    """
    asks = tuple(_asks(_draw(seed, "asks"), seed, seconds))
    wishes = tuple(sorted(_wishes(_draw(seed, "wishes"), asks, seconds), key=lambda one: one.at))
    reports = tuple(_reports(_draw(seed, "reports"), seed, seconds))
    harms = _disruptions(replace(_draw(seed, "disruptions"), fillable=fillable, freezable=freezable), seconds)
    attachments = tuple(_attachments(_draw(seed, "attachments"), seconds))
    return Plan(seed, seconds, asks, wishes, reports, tuple(sorted(harms, key=lambda one: one.at)), attachments)


def _draw(seed: int, what: str) -> _Draw:
    """Return a stream of its own for each part, so that a change to one leaves the others as they were."""
    return _Draw(random.Random(f"{seed}/{what}"))  # noqa: S311 - repeatable, not secret


def on_brokers(plan: Plan, brokers: Sequence[str]) -> Plan:
    """Return the same plan for Kafka on these brokers: what happens to it happens to one of them, in turn."""
    turns = itertools.cycle(brokers)
    harms = (replace(one, target=next(turns)) if one.target == "kafka" else one for one in plan.disruptions)
    return replace(plan, disruptions=tuple(harms))


def _asks(draw: _Draw, seed: int, seconds: float) -> Iterator[Ask]:
    at, number = 0.5, 0
    while at < seconds:
        number += 1
        kind = draw.one_of(_KINDS)
        yield Ask(
            at=round(at, 2),
            user=draw.chance.randrange(USERS),
            title=f"Chaos {seed} no {number}",
            kind=kind,
            faults=() if kind == "import" else faults.drawn(draw.chance),
            copies=draw.one_of([(1, 7), (2, 2), (3, 1)]),
            source=draw.one_of([("video", 8), ("no-video", 1), ("nobody", 1)]) if kind == "import" else "video",
        )
        at += draw.chance.expovariate(1 / 2.5)


def _wishes(draw: _Draw, asks: Sequence[Ask], seconds: float) -> Iterator[Do]:
    for ask in asks:
        what = draw.one_of(_WISHES)
        wait = draw.chance.choice((0.0, 0.3, 1.0, 3.0, 8.0, 15.0))
        if what is None:
            continue
        yield Do(round(ask.at + wait, 2), ask.user, ask.title, what)
        if what == "cancel" and draw.chance.random() < 0.6:
            yield Do(round(ask.at + wait + draw.chance.uniform(0.2, 6), 2), ask.user, ask.title, "retry")
        if what == "retry" and draw.chance.random() < 0.3:
            yield Do(round(ask.at + wait + draw.chance.uniform(1, 10), 2), ask.user, ask.title, "delete")


def _reports(draw: _Draw, seed: int, seconds: float) -> Iterator[Report]:
    at, number = draw.chance.uniform(2, 10), 0
    while at < seconds:
        number += 1
        yield Report(round(at, 2), f"stranger-{seed}-{number}", draw.one_of([("complete", 1), ("error", 1)]))
        at += draw.chance.uniform(10, 25)


def _attachments(draw: _Draw, seconds: float) -> Iterator[Attach]:
    at = draw.chance.uniform(8, 20)
    while at < seconds:
        users = draw.chance.sample(range(USERS), draw.one_of([(1, 2), (2, 1)]))
        yield Attach(round(at, 2), tuple(users))
        at += draw.chance.uniform(3, 12)


def _disruptions(draw: _Draw, seconds: float) -> Iterator[Disruption]:
    at = CALM_SECONDS
    while at < seconds:
        burst = draw.one_of([(1, 5), (2, 3), (3, 2)])
        for _ in range(burst):
            harm = _disruption(draw, at + draw.chance.uniform(0, 1.5))
            if harm is not None:
                yield harm
        at += draw.chance.uniform(4, 9)


def _disruption(draw: _Draw, at: float) -> Disruption | None:
    """Return something that is broken at `at`; None where its target is broken already."""
    harm: Harm = draw.one_of([("kill", 9), ("freeze", 4), ("restart", 3), ("cut", 3), ("refuse", 2), ("stall", 2)])
    if draw.fillable and draw.chance.random() < 0.04:
        harm = "fill"
    target, seconds = _whom(draw, harm), _how_long(draw, harm)
    if at < draw.free_at.get(target, 0.0):
        return None
    draw.free_at[target] = at + seconds + (BACK_SECONDS if harm in ("kill", "restart") else 1.0)
    return Disruption(round(at, 2), target, harm, seconds)


def _whom(draw: _Draw, harm: Harm) -> str:
    if harm == "fill":
        return "s3"
    if harm in ("cut", "refuse", "stall"):
        return draw.chance.choice(PROXIED)
    if harm in ("freeze", "restart"):
        return draw.chance.choice((*SERVICES, *REPLICAS, *(draw.freezable if harm == "freeze" else ())))
    return draw.one_of([(name, 3) for name in (*SERVICES, *REPLICAS)] + [(name, 1) for name in ENGINES])


def _how_long(draw: _Draw, harm: Harm) -> float:
    match harm:
        case "cut" | "restart":
            return 0.0
        case "freeze":  # past the lease of 5 s, mostly
            return round(draw.chance.uniform(3, 14), 1)
        case "kill":
            return round(draw.one_of([(0.0, 4), (1.0, 3), (5.0, 2), (draw.chance.uniform(10, 30), 1)]), 1)
    return round(_mostly_short(draw.chance.random()), 1)


def _mostly_short(chance: float) -> float:
    """Return 1 to 12 s four times out of five, else up to 30 s."""
    return 1 + chance * 55 / 4 if chance < 0.8 else 12 + (chance - 0.8) * 90
