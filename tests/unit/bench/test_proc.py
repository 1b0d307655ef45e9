import os
import subprocess
import sys
import time

import pytest

from tests.bench.figures import BrokenRun
from tests.bench.proc import Meter, PeakWatch, cpu_seconds, cpu_seconds_in, family, memory, memory_in, parent_in

STAT = "4242 (a (tricky) name) S 17 4242 4242 0 -1 4194560 900 800 0 0 150 50 30 20 20 0 9 0 12345 1 2 3"
STATUS = "Name:\tpython\nState:\tS (sleeping)\nVmHWM:\t   93160 kB\nVmRSS:\t   91000 kB\nThreads:\t9\n"


def test_cpu_seconds_are_user_and_system_own_and_of_reaped_children() -> None:
    assert cpu_seconds_in(STAT, ticks_per_second=100) == pytest.approx(2.5)


def test_parent_is_found_behind_a_name_with_spaces_and_parentheses() -> None:
    assert parent_in(STAT) == 17


def test_memory_is_in_bytes() -> None:
    assert memory_in(STATUS).rss_bytes == 91000 * 1024
    assert memory_in(STATUS).peak_bytes == 93160 * 1024


def test_a_zombie_has_no_memory() -> None:
    with pytest.raises(ValueError, match="has ended"):
        memory_in("Name:\tpython\nState:\tZ (zombie)\n")


def test_another_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="mB"):
        memory_in("VmHWM:\t1 mB\nVmRSS:\t1 mB\n")


def test_a_process_that_is_gone_breaks_the_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(BrokenRun, match="ended while it was measured"):
        cpu_seconds(process.pid)
    with pytest.raises(BrokenRun, match="ended while it was measured"):
        memory(process.pid)


def test_a_meter_counts_a_child_that_lives_and_one_that_was_reaped() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    meter = Meter(us=os.getpid())
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert meter.read()["us"] > 0.25  # ticks are cut off
    with subprocess.Popen([sys.executable, "-c", f"{burn}input()"], stdin=subprocess.PIPE) as living:
        assert living.pid in family(os.getpid())
        deadline = time.monotonic() + 20
        while meter.read()["us"] < 0.5:
            assert time.monotonic() < deadline
        assert living.poll() is None


async def test_the_peak_is_that_of_the_watched_time_only() -> None:
    before = bytearray(64 * 1024 * 1024)
    del before
    async with PeakWatch(os.getpid()) as quiet:
        pass
    async with PeakWatch(os.getpid()) as busy:
        held = bytearray(64 * 1024 * 1024)
        del held
    assert quiet.own_bytes - quiet.before_bytes < 32 * 1024 * 1024
    assert busy.own_bytes - busy.before_bytes >= 60 * 1024 * 1024
    assert busy.family_bytes >= busy.own_bytes
