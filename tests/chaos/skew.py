"""A wall clock that is ten minutes wrong, by a library of our own (skew.c), where a C compiler is at hand.

Not by libfaketime: with its monotonic clock left alone, version 0.9.10 makes every `time.sleep` of Python fail.
One service has it. Unless another one is asked for that is the notifier, which promises nothing by the clock but when a
token ends: with deadlines of seconds, as a run has them, any other service would rightly find every deadline passed.
"""

import random
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

USUAL = "notifier"
SECONDS = 600
_SOURCE = Path(__file__).with_suffix(".c")

Clocks = Mapping[str, Mapping[str, str]]
"""The environments of services whose clocks are wrong."""


def build_library(folder: Path) -> Path | None:
    """Return the library that skews clocks, made in `folder`; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "skew.so"
    made = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    return library if subprocess.run(made, capture_output=True, check=False).returncode == 0 else None


def skewed(seed: int, library: Path | None, service: str = USUAL) -> Clocks:
    """Return the environment in which a service's wall clock is wrong and its other clocks are right."""
    if library is None:
        return {}
    seconds = random.Random(f"{seed}/skew").choice((-SECONDS, SECONDS))  # noqa: S311 - repeatable, not secret
    return {service: {"LD_PRELOAD": str(library), "SKEW_SECONDS": str(seconds)}}
