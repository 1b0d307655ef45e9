"""W3C trace context: one trace id from the browser's request through every event and log line."""

import re
import secrets
from contextvars import ContextVar

import structlog

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """Return the traceparent of what is being done now, or None outside of any trace."""
    return _current.get()


def enter_trace(incoming: str | None) -> str:
    """Continue the trace of `incoming` (hostile: ignored unless well formed) or begin one; bind it to the logs."""
    match = _TRACEPARENT.fullmatch(incoming or "")
    trace_id = match[1] if match and set(match[1]) != {"0"} else secrets.token_hex(16)
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    _current.set(traceparent)
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return traceparent
