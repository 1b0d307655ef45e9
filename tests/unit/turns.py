"""Coroutines that run turn by turn, without a loop: a test can stop one anywhere, let others go on, or kill it."""

import contextvars
from collections.abc import Coroutine, Generator
from typing import Any


class Turn:
    """Awaited before each thing that others could come in between of."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Killed(BaseException):
    """The process is gone."""


class Run:
    """One coroutine under way, in a context of its own as a task would have it."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._context = contextvars.copy_context()
        self.done = False

    def step(self) -> None:
        """Go on to the next turn; raises what the coroutine raises."""
        try:
            waits_for = self._context.run(self._work.send, None)
        except StopIteration:
            self.done = True
        except BaseException:
            self.done = True
            raise
        else:
            assert waits_for is None, f"there is no loop that could wait for {waits_for!r}"

    def finish(self) -> None:
        """Go on to the end."""
        while not self.done:
            self.step()

    def kill(self) -> None:
        """End it where it stands: what it was about to do is never done."""
        while not self.done:
            try:
                self._context.run(self._work.throw, Killed)
            except (Killed, StopIteration):
                self.done = True
