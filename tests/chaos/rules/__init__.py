"""The rules: each one is a promise, as a pure function from the evidence of a run to what broke it."""

from collections.abc import Callable, Iterator, Mapping

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.rules import answers, callbacks, ends, objects, processes, statuses, streams, told

Rule = Callable[[Evidence], Iterator[Violation]]

RULES: Mapping[str, Rule] = {
    "every accepted request reached one final state": ends.reached,
    "nothing is left to do": ends.nothing_left,
    "all services agree on the end": ends.agreed,
    "at most one run per attempt was paid": callbacks.paid_once,
    "every accepted webhook was judged": callbacks.judged,
    "every accepted result had its effect": callbacks.effective,
    "every webhook counted once": callbacks.counted_once,
    "statuses never went backwards": statuses.forward,
    "a retry is a new attempt": statuses.retried,
    "one key, one answer": answers.same,
    "clients were answered as promised": answers.promised,
    "streams show all, once, in order": streams.gapless,
    "streams show what is stored": streams.faithful,
    "one end per attempt was told": told.once,
    "everybody was told the end": told.everybody,
    "no object without a record": objects.recorded,
    "no record without an object": objects.stored,
    "no upload is left open": objects.closed,
    "no process ended by itself": processes.alive,
}
