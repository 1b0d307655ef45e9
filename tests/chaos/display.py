"""What people see of a run: one live line on a terminal, plain lines elsewhere; in the end a table."""

import sys
import time

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from tests.chaos.checker import Verdict
from tests.chaos.history import History
from tests.chaos.plan import Plan

_PLAIN_EVERY_SECONDS = 15.0
_SHOWN = 40


class Display:
    """Shows how far a run is. Without a terminal a line every quarter of a minute."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)
        self._live: Status | None = None
        self._told_at = float("-inf")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text))
        self._told_at = time.monotonic()

    def complain(self, text: str) -> None:
        """Print to standard error why there is no verdict."""
        self.close()
        Console(stderr=True, soft_wrap=True, highlight=False).print(Text(f"\n{text}"))

    def progress(self, plan: Plan, history: History, disruptions: int) -> None:
        """Show how far the driving and breaking is."""
        counts = history.counts
        self._show(
            f"{history.now():5.0f} of {plan.seconds:.0f} s   {disruptions} of {len(plan.disruptions)} disruptions   "
            f"{counts.get('call', 0)} calls   {counts.get('frame', 0)} frames   {counts.get('died', 0)} deaths"
        )

    def waiting(self, busy: list[str]) -> None:
        """Show what is still going on."""
        if busy:
            self._show(f"waiting for quiet: {len(busy)} open, such as {busy[0]}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def verdict(self, verdict: Verdict, where: str) -> None:
        """Print what happened, the table of rules, and the violations."""
        self.close()
        for line in verdict.summary:
            self._console.print(Text(line))
        table = Table("promise", "broken", box=None, padding=(0, 2, 0, 0), title_justify="left")
        for name, found in verdict.broken.items():
            table.add_row(name, Text(str(len(found)), "red") if found else Text("-", "green"))
        self._console.print(table)
        for violation in verdict.violations[:_SHOWN]:
            self._console.print(Text(f"  {violation.rule}  {violation.video}\n      {violation.what}"))
        if len(verdict.violations) > _SHOWN:
            self._console.print(f"  ... and {len(verdict.violations) - _SHOWN} more")
        if verdict.violations:
            self._console.print(
                Text(f"Look at {where}: history.jsonl (grep the videoId), stored.json, stack/logs/*.log")
            )

    def _show(self, text: str) -> None:
        if sys.stdout.isatty():
            if self._live is None:
                self._live = self._console.status(text)
                self._live.start()
            self._live.update(text)
        elif time.monotonic() - self._told_at > _PLAIN_EVERY_SECONDS:
            self.say(text)
