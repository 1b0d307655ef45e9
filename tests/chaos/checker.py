"""The history checker: all rules over the evidence of one run. Pure; it can be repeated on what a run left behind."""

from dataclasses import dataclass

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.rules import RULES
from tests.chaos.summary import summarise


@dataclass(frozen=True)
class Verdict:
    """What came out: per rule what broke it, and what happened in the run."""

    broken: dict[str, list[Violation]]
    summary: list[str]

    @property
    def violations(self) -> list[Violation]:
        """Return all of them, in the order of the rules."""
        return [violation for found in self.broken.values() for violation in found]


def check(evidence: Evidence) -> Verdict:
    """Judge a run."""
    return Verdict({name: list(rule(evidence)) for name, rule in RULES.items()}, summarise(evidence))
