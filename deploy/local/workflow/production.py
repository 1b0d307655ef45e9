"""Makes one video at the pace that was set, and reports on the way."""

import asyncio
from collections.abc import Callable

from deploy.local.workflow.executions import Execution, Result
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import Fail, Slow
from deploy.local.workflow.files import VideoFiles
from deploy.local.workflow.progress import ProgressReports
from deploy.local.workflow.render_process import RenderFailed, render_apart
from deploy.local.workflow.settings import WorkflowSettings

_SECONDS_AT_PACE_ONE = 12.0
_TICK_SECONDS = 0.1


class RunFailed(Exception):
    """There will be no video; the message is what the error callback says."""


class Production:
    """Renders videos, a bounded number of them at a time."""

    def __init__(self, settings: WorkflowSettings, files: VideoFiles, book: FaultBook) -> None:
        self._files, self._book = files, book
        self._pace, self._frame_size, self._frame_rate = settings.pace, settings.frame_size, settings.frame_rate
        self._places = asyncio.Semaphore(settings.concurrency)

    async def produce(self, execution: Execution, reports: ProgressReports) -> Result:
        """Render the video of an execution and publish its file; takes at least as long as the pace says.

        Raises RunFailed. When cancelled, the render is killed and nothing is left of it.
        """
        if not execution.video_id:
            raise RunFailed("videoId is required")
        slow = self._book.strike(Slow, execution.names)
        seconds = self._pace * _SECONDS_AT_PACE_ONE + (slow.seconds if slow else 0)
        failure = self._book.strike(Fail, execution.names)
        if failure is not None:
            await self._fail_half_way(reports, seconds, failure.message)
        try:
            return await self._paced(execution, reports, seconds)
        except RenderFailed as problem:
            raise RunFailed(f"Rendering failed: {problem}") from problem
        finally:
            self._files.discard(execution.id)

    async def _fail_half_way(self, reports: ProgressReports, seconds: float, message: str) -> None:
        await reports.reach(0)
        await asyncio.sleep(seconds / 2)
        await reports.reach(50)
        raise RunFailed(message)

    async def _paced(self, execution: Execution, reports: ProgressReports, seconds: float) -> Result:
        clock = _Pace(seconds)
        shares = [0.0]
        rendering = asyncio.create_task(self._render(execution, shares.append))
        try:
            while not (rendering.done() and clock.share() >= 1):
                await reports.reach(99 * min(1.0 if rendering.done() else shares[-1], clock.share()))
                await clock.tick(rendering)
            result = rendering.result()
            await reports.reach(100)
            return result
        finally:
            rendering.cancel()
            await asyncio.gather(rendering, return_exceptions=True)

    async def _render(self, execution: Execution, report: Callable[[float], None]) -> Result:
        async with self._places:
            draft = self._files.draft(execution.id)
            rendered = await render_apart(execution.fields, draft, self._frame_size, self._frame_rate, report)
        self._files.publish(execution.id)
        return Result(
            video_url=self._files.url(execution.id), size=rendered["size_bytes"], duration=rendered["duration_seconds"]
        )


class _Pace:
    """How much of the time a run shall take is over."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._began, self._seconds = self._loop.time(), seconds

    def share(self) -> float:
        return min(1.0, (self._loop.time() - self._began) / self._seconds) if self._seconds else 1.0

    async def tick(self, rendering: asyncio.Task[Result]) -> None:
        """Wait a moment; a render that fails ends the wait, and the run, at once."""
        if not rendering.done():
            await asyncio.wait({rendering}, timeout=_TICK_SECONDS)
        else:
            rendering.result()
            await asyncio.sleep(min(_TICK_SECONDS, self._seconds))
