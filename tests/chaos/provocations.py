"""For each safeguard a short plan in which it is needed for certain: with it no promise is broken, without it some."""

from collections.abc import Callable, Mapping

from tests.chaos.plan import Ask, Disruption, Json, Plan

_SLOW_RUN: Json = {"kind": "slow", "seconds": 9}
_SLOW_FILE: Json = {"kind": "file-slow", "bytesPerSecond": 40_000}


def _sweep(seed: int) -> Plan:
    """The broker is away while requests are accepted, and the gateway dies before it is back."""
    harms = (Disruption(3.0, "kafka", "kill", 9.0), Disruption(7.0, "gateway", "kill"))
    return _plan(seed, 16, _asks(seed, 6, first=3.6, every=0.5), harms)


def _dedupe(seed: int) -> Plan:
    """Runs last longer than the gateway waits before it asks again, so that all services repeat themselves."""
    return _plan(seed, 16, _asks(seed, 6, first=0.5, every=0.5, fault=_SLOW_RUN), (Disruption(6, "notifier", "kill"),))


def _fencing(seed: int) -> Plan:
    """A worker is frozen in the middle of its transfers, wakes when another one has them, and goes on."""
    harms = (Disruption(8.0, "media", "freeze", 8.0),)
    return _plan(seed, 24, _asks(seed, 8, first=0.5, every=0.3, fault=_SLOW_FILE), harms)


def _takeover(seed: int) -> Plan:
    """Workers are killed in the middle of their transfers."""
    harms = (Disruption(8.0, "media", "kill"), Disruption(8.5, "media-2", "kill"))
    return _plan(seed, 16, _asks(seed, 8, first=0.5, every=0.3, fault=_SLOW_FILE), harms)


def _reannouncing(seed: int) -> Plan:
    """The broker forgets requests it had confirmed, before the frozen generators could read them."""
    harms = (
        Disruption(2.0, "generator", "freeze", 9.0),
        Disruption(2.0, "generator-2", "freeze", 9.0),
        Disruption(7.5, "kafka", "kill"),
    )
    return _plan(seed, 16, _asks(seed, 6, first=2.5, every=0.4), harms)


PROVOCATIONS: Mapping[str, Callable[[int], Plan]] = {
    "sweep": _sweep,
    "dedupe": _dedupe,
    "fencing": _fencing,
    "takeover": _takeover,
    "reannouncing": _reannouncing,
}


def _asks(seed: int, count: int, *, first: float, every: float, fault: Json | None = None) -> tuple[Ask, ...]:
    faults = () if fault is None else (fault,)
    return tuple(
        Ask(first + number * every, number % 2, f"Provoked {seed} no {number}", "generate", faults)
        for number in range(count)
    )


def _plan(seed: int, seconds: float, asks: tuple[Ask, ...], disruptions: tuple[Disruption, ...]) -> Plan:
    return Plan(seed, seconds, asks, wishes=(), reports=(), disruptions=disruptions, users=2)
