"""Which messages may start a paid generation: what is redriven must not do that unless a person says so."""

from shared.contracts.cloudevents import BadMessage, decode
from shared.contracts.events import VideoRequested, VideoRetryRequested
from shared.contracts.letters import Origin, readable

CALLS_THE_WORKFLOW_ENGINE = "generator"


def may_start_paid_work(service: str, origin: Origin, value: bytes | None) -> bool:
    """Return whether `service` may start a generation when it handles this; where nobody can tell, it may."""
    headers = readable(origin.headers)
    if service != CALLS_THE_WORKFLOW_ENGINE or headers.get("ce_type") not in _ASKING:
        return False
    try:
        event = decode(headers, value)
    except BadMessage:
        return True
    return not (isinstance(event, VideoRetryRequested) and event.restart == "transfer")


_ASKING = frozenset({VideoRequested.__name__, VideoRetryRequested.__name__})
