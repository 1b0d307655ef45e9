"""Keep what runs running: a process that dies is started again, on its port, ever more patiently."""

import asyncio
import time
from collections.abc import Callable

from deploy.local.processes import Child, StartFailed, describe_exit
from deploy.local.stack import START_SECONDS, LocalStack, Report

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


async def keep_running(stack: LocalStack, report: Report, changed: Callable[[], None]) -> None:
    """Watch every process of the stack until cancelled; `changed` is called whenever one has a new process id."""
    async with asyncio.TaskGroup() as tasks:
        for child in stack.children.values():
            tasks.create_task(_keep(child, report, changed))


async def _keep(child: Child, report: Report, changed: Callable[[], None]) -> None:
    pause = FIRST_PAUSE_SECONDS
    began = time.monotonic()
    while True:
        code = await child.wait_exit()
        if time.monotonic() - began > HEALTHY_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        report(child.name, "died", f"{describe_exit(code)}; starting it again in {pause:.1f} s")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        began = time.monotonic()
        child.start()
        changed()
        try:
            seconds = await child.wait_ready(START_SECONDS)
        except StartFailed as failure:
            report(child.name, "failed", str(failure))
        else:
            report(child.name, "ready", f"again, after {seconds:.1f} s, pid {child.pid}")
