"""What a run says about itself on its way, and when."""

from collections.abc import Awaitable, Callable

from deploy.local.workflow.executions import Execution, ExecutionStore

MILESTONES = (
    (0, "Workflow started"),
    (10, "Reading the script"),
    (25, "Choosing pictures and colours"),
    (40, "Painting the first scenes"),
    (55, "Rendering scenes"),
    (70, "Setting the captions"),
    (85, "Mixing the sound"),
    (100, "Video rendered"),
)

SendProgress = Callable[[Execution, int, str], Awaitable[None]]


class ProgressReports:
    """Sends each milestone of one execution once, in order; may hold them back to send them all at the end.

    What an interrupted run has reported is not repeated when it starts anew.
    """

    def __init__(self, execution: Execution, store: ExecutionStore, send: SendProgress, hold: bool) -> None:
        self._execution, self._store, self._send, self._hold = execution, store, send, hold
        reached = execution.progress if execution.stage else -1
        self._ahead = [milestone for milestone in MILESTONES if milestone[0] > reached]
        self._held: list[tuple[int, str]] = []

    async def reach(self, percent: float) -> None:
        """Report every milestone up to `percent` that was not reported yet."""
        while self._ahead and self._ahead[0][0] <= percent:
            milestone = self._ahead.pop(0)
            self._execution.progress, self._execution.stage = milestone
            self._store.save(self._execution)
            if self._hold:
                self._held.append(milestone)
            else:
                await self._send(self._execution, *milestone)

    async def release(self) -> None:
        """Send what was held back."""
        held, self._held = self._held, []
        for milestone in held:
            await self._send(self._execution, *milestone)
