"""Nothing dies but what was killed."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation


def alive(evidence: Evidence) -> Iterator[Violation]:
    """No process ended although nobody ended it, and all those that were asked to stop did so in time."""
    for died in evidence.entries("died"):
        last = " / ".join(died.get("last", [])[-2:])
        yield Violation("processes.alive", died["process"], f"ended at {died['at']} s with {died['how']}: {last}")
    for slow in evidence.entries("overslept"):
        yield Violation("processes.alive", slow["process"], f"did not stop within 20 s of SIGTERM at {slow['at']} s")
