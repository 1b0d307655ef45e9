"""`python -m tests.bench`, called by `make bench`: takes the figures of docs/benchmarks.md on this machine.

Ends with 0 and a table, or with 1 and the reason: a run in which anything went wrong shows no figures.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.processes import StartFailed
from deploy.local.site import REPOSITORY, EngineMissing
from shared.contracts.wire import iso
from tests.bench import accept, again, dispatch, latency, life, media, report, sse
from tests.bench.arena import Options
from tests.bench.figures import BrokenRun, Section
from tests.bench.machine import describe_machine, describe_revision, describe_versions

SECTIONS: Mapping[str, Callable[[Options], Awaitable[Section]]] = {
    "accept": accept.measure,
    "again": again.measure,
    "dispatch": dispatch.measure,
    "latency": latency.measure,
    "life": life.measure,
    "media": media.measure,
    "sse": sse.measure,
}
RESULTS = REPOSITORY / ".reelway" / "bench"
BROKEN = RESULTS / "broken-run"
SECTION_SECONDS = 600.0
SPACE_BYTES = 4 * 1024**3


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=list(SECTIONS), action="append", help="take this part; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it works, not to quote")
    options = parser.parse_args()
    try:
        return asyncio.run(_run(options.only or list(SECTIONS), options.quick))
    except (BrokenRun, EngineMissing, StartFailed, OSError) as failure:
        print(f"\nThe bench is broken, so it shows no figures: {str(failure) or repr(failure)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped; everything the bench started has ended.", file=sys.stderr)
        return 130


async def _run(names: list[str], quick: bool) -> int:
    _stop_on_sigterm()
    RESULTS.mkdir(parents=True, exist_ok=True)
    began, at = time.monotonic(), datetime.now(UTC)
    about: dict[str, Any] = {
        "takenAt": iso(at),
        "quick": quick,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "realEngines": os.environ.get("REAL_ENGINES", ""),
        "revision": describe_revision(),
    }
    _warn_of_load()
    with tempfile.TemporaryDirectory(prefix="run-", dir=RESULTS) as folder:
        sections = [await _take(name, Path(folder) / name, quick) for name in names]
    about["wallSeconds"] = round(time.monotonic() - began, 1)
    report.show(sections)
    file = report.write(RESULTS, report.document(sections, about), at)
    print(f"{about['wallSeconds']:.0f} s. Every round: {file.relative_to(REPOSITORY)}")
    return 0


async def _take(name: str, folder: Path, quick: bool) -> Section:
    if shutil.disk_usage(folder.parent).free < SPACE_BYTES:
        raise BrokenRun(f"{folder.parent} has less than {SPACE_BYTES // 1024**3} GB of free space")
    print(f"{name} ...", end=" ", flush=True)
    began = time.monotonic()
    try:
        async with asyncio.timeout(SECTION_SECONDS):
            section = await SECTIONS[name](Options(folder, quick))
    except TimeoutError as error:
        _keep_logs(folder)
        raise BrokenRun(f"{name}: an answer, an event or the whole part took too long") from error
    except Exception:
        _keep_logs(folder)
        raise
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(folder)
    return section


def _keep_logs(folder: Path) -> None:
    """Leave what the processes of a broken run wrote where it can be read, in place of the last such run's."""
    shutil.rmtree(BROKEN, ignore_errors=True)
    logs = sorted(folder.rglob("logs"))
    if logs:
        shutil.copytree(logs[-1], BROKEN)
        print(f"\nWhat the processes wrote: {BROKEN.relative_to(REPOSITORY)}", file=sys.stderr)


def _warn_of_load() -> None:
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        print(f"The load average is {load:.1f} on {cores} cores: something else runs, the figures will suffer.")


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


if __name__ == "__main__":
    sys.exit(main())
