"""Whatever is logged, a line of a log is one line that can be shown."""

import asyncio
import json
import logging
import subprocess
import sys
import unicodedata

import pytest
from aiokafka.errors import CommitFailedError

from shared.wiring.logging import Calm

HOSTILE = "a\x00\x1b[2J\x07\x7f\x9b\u2028\u202e\r\n{forged}"

PROGRAM = """
import logging, sys, structlog
from shared.wiring.logging import configure_logging
configure_logging("test", "INFO", sys.argv[1])
hostile = eval(sys.argv[2])
log = structlog.get_logger("ours")
log.info("event " + hostile, text=hostile, within=[hostile, {"k": hostile}], error=ValueError(hostile))
structlog.contextvars.bind_contextvars(video_id=hostile)
logging.getLogger("of a library").error("%s", hostile)
structlog.contextvars.clear_contextvars()
try:
    raise ValueError(hostile)
except ValueError:
    log.exception("broken")
"""


def logged(style: str) -> str:
    program = [sys.executable, "-c", PROGRAM, style, ascii(HOSTILE)]
    # Not as text: that would make line ends of some control characters.
    return subprocess.run(program, check=True, capture_output=True, timeout=60).stderr.decode()


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_control_character_gets_into_a_log(style: str) -> None:
    lines = logged(style).split("\n")
    found = {char for line in lines for char in line if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")}
    assert found == set()


def test_json_says_the_same_and_keeps_to_its_lines() -> None:
    said, foreign, broken = [json.loads(line) for line in logged("json").splitlines()]
    assert said["text"] == HOSTILE
    assert foreign["video_id"] == HOSTILE
    assert HOSTILE in broken["exception"]


def test_nobody_forges_a_line_for_people() -> None:
    said, foreign, *traceback = logged("console").splitlines()
    for line in (said, foreign):
        assert "{forged}" in line
        assert line[:2] == "20"
    assert traceback[1].startswith("Traceback")


@pytest.mark.parametrize("error", [CommitFailedError(), asyncio.CancelledError()])
def test_what_comes_again_is_one_calm_line(error: BaseException) -> None:
    record = logging.LogRecord("faststream", logging.ERROR, "", 1, "said", (), (type(error), error, None))
    assert Calm().filter(record)
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.getMessage().endswith(type(error).__name__)


def test_what_a_handler_raises_keeps_its_traceback() -> None:
    error = ZeroDivisionError()
    record = logging.LogRecord("faststream", logging.ERROR, "", 1, "said", (), (type(error), error, None))
    assert Calm().filter(record)
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "said")
    assert record.exc_info
