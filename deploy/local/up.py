"""`make up`: start the stack, say where everything is, keep it running until told to stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.local.checks import check_settings
from deploy.local.display import Display, make_display
from deploy.local.ports import PortTaken, choose_ports, last_ports
from deploy.local.private_file import write_private
from deploy.local.processes import StartFailed
from deploy.local.record import StackFile
from deploy.local.running import AlreadyRunning, sole_owner
from deploy.local.site import ENGINE_VARIABLES, PREFERRED_PORTS, SERVICES, EngineMissing
from deploy.local.stack import LocalStack
from deploy.local.supervise import keep_running
from shared.wiring.environment import WRONG_SETTINGS_EXIT, WrongSettings


async def up(folder: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Run the whole stack on a folder until Ctrl-C or SIGTERM; returns the exit code.

    A second signal kills what still takes its time to stop.
    """
    display = make_display()
    try:
        with sole_owner(folder / "lock"), ExitStack() as held:
            return await _until_stopped(folder, environ, display, held)
    except AlreadyRunning as running:
        display.say(
            f"{running}. Where it is: {folder / 'stack.json'}. To stop it: make down, or Ctrl-C in its terminal."
        )
    except (EngineMissing, PortTaken, StartFailed) as failure:
        display.say(f"\nReelway did not start: {failure}")
    except WrongSettings as wrong:
        display.say(f"Reelway did not start. What is wrong in the environment:\n{wrong}")
        return WRONG_SETTINGS_EXIT
    return 1


def forget_dead(folder: Path) -> None:
    """Take away what a stack that was killed could not: the file that says where it is. Nothing where one runs."""
    record = StackFile(folder / "stack.json")
    if record.exists():
        with contextlib.suppress(AlreadyRunning), sole_owner(folder / "lock"):
            record.remove()


async def _until_stopped(folder: Path, environ: Mapping[str, str], display: Display, held: ExitStack) -> int:
    record = StackFile(folder / "stack.json")
    record.remove()  # a stack that was killed could not
    fixed = check_settings(LocalStack(folder, ports=PREFERRED_PORTS, environ=environ).site)
    last = last_ports(folder / "ports.json")
    ports = choose_ports(held, PREFERRED_PORTS, fixed, last)
    stack = LocalStack(folder, ports=ports, environ=environ, report=display.changed)
    used = {name: ports[name] for name in (*stack.site.engines, *stack.site.services)}
    write_private(folder / "ports.json", last | used)
    serving = asyncio.create_task(_serve(stack, record, display, _moved(stack, ports, fixed, last)))
    _on_signals(serving, stack)
    try:
        await serving
    except asyncio.CancelledError:
        display.close()
        display.say("Reelway is stopped. Your videos are kept; `make up` brings them back.")
    finally:
        display.close()
    return 0


async def _serve(stack: LocalStack, record: StackFile, display: Display, moved: list[str]) -> None:
    display.open([(name, without_login(stack.url(name))) for name in (*ENGINE_VARIABLES, *SERVICES)])
    for name in ENGINE_VARIABLES:
        if name not in stack.site.engines:
            display.changed(name, "in use", "yours, from the environment")
    async with stack:
        try:
            record.write(stack)
            display.announce("Reelway is up", _welcome(stack, moved))
            await keep_running(stack, display.changed, changed=lambda: record.write(stack))
        finally:
            record.remove()


def _welcome(stack: LocalStack, moved: list[str]) -> list[str]:
    return [
        f"Open      {stack.url('gateway')}",
        f"Log in    {stack.credentials.demo_email}",
        f"Password  {stack.credentials.demo_password}",
        "",
        f"Videos, secrets and logs are kept in {stack.site.folder}",
        "Stop with Ctrl-C, or `make down` elsewhere.",
        *moved,
    ]


def _moved(stack: LocalStack, ports: Mapping[str, int], fixed: Mapping[str, int], last: Mapping[str, int]) -> list[str]:
    """Return what there is to say of those who are not where they usually are, or were last time."""

    def why(name: str) -> str:
        if name in fixed:
            return f"{name.upper()}_PORT"
        if name not in last:
            return f"{PREFERRED_PORTS[name]} is taken"
        return "as last time" if ports[name] == last[name] else f"{last[name]}, as last time, is taken"

    running = (*stack.site.engines, *stack.site.services)
    elsewhere = [name for name in running if {ports[name], last.get(name, ports[name])} != {PREFERRED_PORTS[name]}]
    places = ", ".join(f"{name} on {ports[name]} ({why(name)})" for name in elsewhere)
    return ["", f"Other ports than usual: {places}"] if elsewhere else []


def without_login(url: str) -> str:
    """Return the part of an address that may be shown: no user, no password, no options."""
    scheme, separator, rest = url.partition("://")
    place = (rest if separator else scheme).split("?")[0].split("/")[0].rpartition("@")[2]
    return f"{scheme}://{place}" if scheme.startswith("http") else place


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
