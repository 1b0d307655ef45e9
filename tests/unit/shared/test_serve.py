"""A process ends with what happened to it: 0 where it was told to, 1 where it broke."""

import os
import signal

import pytest
from starlette.applications import Starlette

from shared.wiring.serve import BROKEN, serve


@pytest.mark.parametrize(
    ("sent", "code"), [({signal.SIGTERM}, 0), ({signal.SIGINT}, 0), ({BROKEN}, 1), ({BROKEN, signal.SIGTERM}, 1)]
)
def test_its_exit_code_says_whether_it_was_told_to_stop(sent: set[signal.Signals], code: int) -> None:
    told: list[str] = []

    class App(Starlette):
        async def __call__(self, scope: object, *_: object) -> None:
            for number in sent:
                os.kill(os.getpid(), number)
            raise RuntimeError("no lifespan")

    ended = 0
    try:
        serve(App(), "127.0.0.1", 0, on_stop=lambda: told.append("stop"))
    except SystemExit as end:
        ended = int(str(end.code))
    assert ended == code
    assert told
