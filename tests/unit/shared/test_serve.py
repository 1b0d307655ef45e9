"""A process ends with what happened to it: 0 where it was told to, 1 where it broke; and it ends."""

import signal
import subprocess
import sys
import time

import pytest

from shared.wiring.serve import BROKEN

SERVED = """
import os, sys, threading
from starlette.applications import Starlette
from shared.wiring.serve import serve

class App(Starlette):
    async def __call__(self, scope, *_):
        {does}
        for number in map(int, sys.argv[1:]):
            os.kill(os.getpid(), number)
        raise RuntimeError("no lifespan")

serve(App(), "127.0.0.1", 0, on_stop=lambda: print("told"))
"""
WAITS_IN_A_THREAD = """
        import asyncio
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 60)
"""


def served(sent: set[signal.Signals], does: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", SERVED.format(does=does), *(str(int(number)) for number in sent)]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=40)


@pytest.mark.parametrize(
    ("sent", "code"), [({signal.SIGTERM}, 0), ({signal.SIGINT}, 0), ({BROKEN}, 1), ({BROKEN, signal.SIGTERM}, 1)]
)
def test_its_exit_code_says_whether_it_was_told_to_stop(sent: set[signal.Signals], code: int) -> None:
    ended = served(sent)
    assert ended.returncode == code, ended.stderr
    assert "told" in ended.stdout


def test_a_thread_that_waits_for_a_silent_peer_does_not_hold_it() -> None:
    began = time.monotonic()
    assert served({signal.SIGTERM}, WAITS_IN_A_THREAD).returncode == 0
    assert time.monotonic() - began < 20
