"""Logs: structlog, one event a line, JSON in production. Secrets and scripts never get here."""

import asyncio
import logging
import sys
import time
from typing import Any, Literal

import structlog
from aiokafka.errors import KafkaError

_NOISY = ("faststream", "httpx", "httpcore", "pymongo", "urllib3", "uvicorn.access", "libav")

_REPETITIVE = (
    "aiokafka",
    "aiokafka.conn",
    "aiokafka.cluster",
    "aiokafka.client",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.consumer.subscription_state",
    "aiokafka.producer.producer",
    "aiokafka.producer.sender",
)


class Sparse(logging.Filter):
    """Lets one logger's same message pass once in PERIOD_SECONDS: a client repeats itself while a server is away."""

    PERIOD_SECONDS = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this message has been silent for long enough."""
        if record.levelno < logging.WARNING:
            return False
        now = time.monotonic()
        key = str(record.msg)
        if now < self._next.get(key, 0.0):
            return False
        self._next[key] = now + self.PERIOD_SECONDS
        return True


class Calm(logging.Filter):
    """Makes one line of what FastStream prints as critical with a traceback: an ack too late, a handler cut off.

    The group has rebalanced, or the process stops: the message comes again, handlers take it twice, nothing is wrong.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, calmer where nothing is wrong."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, KafkaError | asyncio.CancelledError):
            what = "ack came too late" if isinstance(error, KafkaError) else "handler was cut off"
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
            record.msg, record.args = f"{what}: %s", (type(error).__name__,)
        return True


def _escaped(text: str, *, but: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in but else char.encode("unicode_escape").decode("ascii") for char in text
    )


def one_line(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what can't be seen in the texts of an event, so that what others wrote can't begin a line of its own."""
    # A traceback has lines; Shown looks after it.
    return {
        name: _escaped(value) if isinstance(value, str) and name != "exception" else value
        for name, value in event.items()
    }


class Shown:
    """Renders for people, and escapes what can't be seen (JSON has that by itself) but line ends and tabs."""

    def __init__(self) -> None:
        # The default prints every frame's variables where rich is installed: tokens and scripts among them.
        plain = structlog.dev.plain_traceback
        self._renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)

    def __call__(self, logger: Any, name: str, event: structlog.typing.EventDict) -> str:
        """Return one line, and the lines of a traceback."""
        return _escaped(str(self._renderer(logger, name, event)), but="\n\t")


def configure_logging(service: str, level: str, style: Literal["json", "console"]) -> None:
    """Send every log line of this process, of libraries too, to standard error in one format."""

    def name_service(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        name_service,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    final: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        final += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        final += [one_line, Shown()]
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    faststream = logging.getLogger("reelway.faststream")
    faststream.setLevel(logging.ERROR)
    faststream.addFilter(Calm())
    sparse = Sparse()
    for name in _REPETITIVE:
        logging.getLogger(name).addFilter(sparse)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
