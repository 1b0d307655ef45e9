"""`python -m tests.chaos`, called by `make chaos`: breaks a stack of its own while it is used, checks every promise.

Ends with 0 and a table of promises, or with 1 and what was broken. The same seed gives the same plan.
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from deploy.local.processes import StartFailed
from deploy.local.site import REPOSITORY, SERVICES, EngineMissing, parts
from tests.chaos import disk, skew
from tests.chaos.checker import Verdict, check
from tests.chaos.display import Display
from tests.chaos.evidence import Evidence
from tests.chaos.plan import REAL, Plan, make_plan, on_brokers
from tests.chaos.provocations import PROVOCATIONS
from tests.chaos.run import QUIET_SECONDS, run
from tests.chaos.sabotage import SABOTAGES

RESULTS = REPOSITORY / ".reelway" / "chaos"
_PROOF_QUIET_SECONDS = 60.0


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="how long things are broken (180)")
    parser.add_argument("--seed", type=int, default=None, help="replays the plan of that seed; random by default")
    parser.add_argument("--without", choices=list(SABOTAGES), help="start the services without this safeguard")
    parser.add_argument("--skew", choices=SERVICES, default=skew.USUAL, help="whose wall clock is wrong (notifier)")
    parser.add_argument("--quiet", type=float, help="how long to wait for quiet, in seconds")
    proof = "switch off each safeguard (or those named) and see whether it is noticed"
    parser.add_argument("--prove", nargs="*", choices=list(SABOTAGES), metavar="SAFEGUARD", help=proof)
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="judge once more what a run left there")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    display = Display()
    try:
        if options.check:
            return _judge(display, check(Evidence.read(options.check)), options.check)
        if options.prove is not None:
            return asyncio.run(_prove(display, options.prove or list(SABOTAGES), seed))
        return asyncio.run(_run(display, options, seed))
    except (EngineMissing, StartFailed, OSError) as failure:
        display.complain(f"The run broke off: {str(failure) or repr(failure)}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        display.complain("Stopped; everything the run started has ended.")
        return 130
    finally:
        display.close()


async def _run(display: Display, options: argparse.Namespace, seed: int) -> int:
    _stop_on_sigterm()
    folder = RESULTS / (f"{seed}-without-{options.without}" if options.without else str(seed))
    RESULTS.mkdir(parents=True, exist_ok=True)
    missing = disk.mountable(RESULTS / "mount-test")
    real = os.environ.get("REAL_ENGINES", "").split()
    frozen = tuple(name for engine in real for name in REAL.get(engine, ()))
    plan = make_plan(seed, options.seconds, fillable=missing is None, freezable=frozen)
    plan = on_brokers(plan, parts("kafka", os.environ))
    display.say(f"real engines: {', '.join(real) or 'none'}")
    display.say(f"seed {seed}: {len(plan.asks)} requests, {len(plan.disruptions)} disruptions in {plan.seconds:.0f} s")
    if missing:
        display.say(f"a full disk: skipped, {missing}")
    clocks = skew.skewed(seed, skew.build_library(RESULTS), options.skew)
    wrong = [f"{name}, {clock['SKEW_SECONDS']} s" for name, clock in clocks.items()]
    display.say(f"a wrong clock: {wrong[0] if wrong else 'skipped, no C compiler'}")
    began = time.monotonic()
    verdict = await run(
        plan,
        folder,
        display,
        without=options.without,
        quiet_seconds=options.quiet or _quiet_seconds(options.skew),
        disk_megabytes=_disk_megabytes(plan),
        clocks=clocks,
    )
    display.say(f"seed {seed}: {time.monotonic() - began:.0f} s in all")
    return _judge(display, verdict, folder)


def _quiet_seconds(skewed: str) -> float:
    """Return how long all deadlines may take, also by a clock that is behind."""
    return QUIET_SECONDS if skewed == skew.USUAL else QUIET_SECONDS + 2 * skew.SECONDS


def _disk_megabytes(plan: Plan) -> int:
    """Return the size of a disk that holds all videos of the plan, and little more; 0 where it is never filled."""
    needed = any(one.harm == "fill" for one in plan.disruptions)
    return min(1_000, 64 + len(plan.asks)) if needed else 0


def _judge(display: Display, verdict: Verdict, folder: Path) -> int:
    display.verdict(verdict, str(folder))
    return 1 if verdict.violations else 0


async def _prove(display: Display, safeguards: list[str], seed: int) -> int:
    """Run each provocation twice: with the safeguard nothing may be broken, without it something must be."""
    _stop_on_sigterm()
    lines, proven = [], True
    for name in safeguards:
        plan = PROVOCATIONS[name](seed)
        for without in (None, name):
            folder = RESULTS / f"prove-{name}{'-without' if without else ''}"
            display.say(f"{name}: a run {'without it' if without else 'with everything in place'}")
            verdict = await run(plan, folder, display, without=without, quiet_seconds=_PROOF_QUIET_SECONDS)
            as_hoped = bool(verdict.violations) == (without is not None)
            proven &= as_hoped
            if not as_hoped:
                display.verdict(verdict, str(folder))
            broken = ", ".join(rule for rule, found in verdict.broken.items() if found) or "nothing"
            what = f"{'without' if without else 'with':<7} {name:<13} broken: {broken}"
            lines.append(f"{'as hoped' if as_hoped else 'NOT AS HOPED':<12}  {what}")
            display.say(lines[-1])
    display.say("\n".join(["", *lines]))
    return 0 if proven else 1


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


if __name__ == "__main__":
    sys.exit(main())
