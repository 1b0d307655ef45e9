"""What clients are answered."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation, by

_PROMISED = {
    "ask": frozenset({202, 429, 502, 503, 504}),
    "status": frozenset({200, 404, 502, 503, 504}),
    "delete": frozenset({200, 404, 502, 503, 504}),
    "retry": frozenset({202, 404, 409, 429, 502, 503, 504}),
    "cancel": frozenset({202, 404, 409, 502, 503, 504}),
    "notifications": frozenset({200, 502, 503, 504}),
    "webhook": frozenset({202, 502, 503, 504}),
    "callbacks": frozenset({200, 502, 503, 504}),
    "attach": frozenset({202, 404, 409, 502, 503, 504}),
}
_STREAMS = frozenset({200, 429, 502, 503, 504})


def same(evidence: Evidence) -> Iterator[Violation]:
    """The same Idempotency-Key was answered the same, however often and whenever it came."""
    accepted = (call for call in evidence.calls("ask") if call["status"] == 202)
    for key, calls in by(accepted, "key").items():
        first = calls[0]["data"]
        for call in calls[1:]:
            if call["data"] != first:
                what = f"key {key!r} was answered {call['data']} after {first}"
                yield Violation("answers.same", first["videoId"], what)


def promised(evidence: Evidence) -> Iterator[Violation]:
    """Every answer is one that the interface knows, a 500 is none; and every request was accepted in the end."""
    for call in evidence.calls(*_PROMISED):
        if call["status"] is not None and call["status"] not in _PROMISED[call["action"]]:
            about = str(call.get("video") or call.get("title") or call.get("name"))
            what = f"at {call['ended']} s {call['action']} was answered {call['status']} {call.get('code')}"
            yield Violation("answers.promised", about, what)
    for opened in evidence.entries("stream"):
        if opened["status"] not in _STREAMS:
            what = f"at {opened['at']} s {opened['stream']} was answered {opened['status']}"
            yield Violation("answers.promised", opened["user"], what)
    for key, calls in by(evidence.calls("ask"), "key").items():
        if all(call["status"] != 202 for call in calls):
            yield Violation("answers.promised", str(key), f"never accepted, in {len(calls)} tries")
