"""`make up`: start the stack, say where everything is, keep it running until told to stop."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.local.display import Display, make_display
from deploy.local.engines import EngineMissing
from deploy.local.ports import PortTaken, choose_ports
from deploy.local.processes import StartFailed
from deploy.local.record import StackFile
from deploy.local.running import AlreadyRunning, sole_owner
from deploy.local.site import ENGINE_VARIABLES, PREFERRED_PORTS, SERVICES
from deploy.local.stack import LocalStack
from deploy.local.supervise import keep_running


async def up(folder: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Run the whole stack on a folder until Ctrl-C or SIGTERM; returns the exit code.

    A second signal kills what still takes its time to stop.
    """
    display = make_display()
    try:
        with sole_owner(folder / "lock"):
            return await _until_stopped(folder, environ, display)
    except AlreadyRunning as running:
        display.say(
            f"{running}. Where it is: {folder / 'stack.json'}. To stop it: make down, or Ctrl-C in its terminal."
        )
    except (EngineMissing, PortTaken, StartFailed) as failure:
        display.say(f"\nReelway did not start: {failure}")
    return 1


async def _until_stopped(folder: Path, environ: Mapping[str, str], display: Display) -> int:
    record = StackFile(folder / "stack.json")
    record.remove()  # a stack that was killed could not
    ports = choose_ports(*_wanted_ports(environ))
    stack = LocalStack(folder, ports=ports, environ=environ, report=display.changed)
    serving = asyncio.create_task(_serve(stack, record, display))
    _on_signals(serving, stack)
    try:
        await serving
    except asyncio.CancelledError:
        display.close()
        display.say("Reelway is stopped. Your videos are kept; `make up` brings them back.")
    finally:
        display.close()
    return 0


async def _serve(stack: LocalStack, record: StackFile, display: Display) -> None:
    display.open([(name, without_login(stack.url(name))) for name in (*ENGINE_VARIABLES, *SERVICES)])
    for name in ENGINE_VARIABLES:
        if name not in stack.site.engines:
            display.changed(name, "in use", "yours, from the environment")
    async with stack:
        try:
            record.write(stack)
            display.announce("Reelway is up", _welcome(stack))
            await keep_running(stack, display.changed, changed=lambda: record.write(stack))
        finally:
            record.remove()


def _welcome(stack: LocalStack) -> list[str]:
    lines = [
        f"Open      {stack.url('gateway')}",
        f"Log in    {stack.credentials.demo_email}",
        f"Password  {stack.credentials.demo_password}",
        "",
        f"Videos, secrets and logs are kept in {stack.site.folder}",
        "Stop with Ctrl-C, or `make down` elsewhere.",
    ]
    moved = [
        f"{name} on {stack.site.ports[name]} ({usual} is taken)"
        for name, usual in PREFERRED_PORTS.items()
        if stack.site.ports[name] != usual and name in (*stack.site.engines, *stack.site.services)
    ]
    return [*lines, "", "Other ports than usual: " + ", ".join(moved)] if moved else lines


def without_login(url: str) -> str:
    """Return the part of an address that may be shown: no user, no password, no options."""
    scheme, separator, rest = url.partition("://")
    place = (rest if separator else scheme).split("?")[0].split("/")[0].rpartition("@")[2]
    return f"{scheme}://{place}" if scheme.startswith("http") else place


def _wanted_ports(environ: Mapping[str, str]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return the usual ports, and those that the caller fixed by <SERVICE>_PORT."""
    fixed = {name: int(environ[f"{name.upper()}_PORT"]) for name in SERVICES if environ.get(f"{name.upper()}_PORT")}
    return PREFERRED_PORTS, fixed


def _on_signals(serving: "asyncio.Task[None]", stack: LocalStack) -> None:
    loop = asyncio.get_running_loop()
    hurrying: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if serving.cancelling():
            hurrying.add(loop.create_task(stack.hurry()))
        else:
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup make up
            loop.add_signal_handler(number, stop)
