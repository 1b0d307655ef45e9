"""What a user sees of a video only goes forward."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Json, Violation, by

_STAGES = {
    "queued": 10,
    "unknown": 30,
    "rendering": 31,
    "completed": 40,
    "transferring": 50,
    "failed": 90,
    "adopting": 90,
    "ready": 95,
    "cancelled": 99,
}
_STATUSES = {"pending": 0, "processing": 1, "failed": 2, "ready": 3}
_SHOWING = ("status", "retry", "cancel")


def forward(evidence: Evidence) -> Iterator[Violation]:
    """Of two answers the later one shows the same or more: attempt, status and stage; nothing comes after a deletion.

    Later means: asked for after the other one had been given. `failed` becomes `ready` where a late result is adopted.
    """
    for video, calls in by(evidence.calls(*_SHOWING), "video").items():
        furthest: Json | None = None
        for call in _in_turn(calls):
            what = _backwards(furthest, call)
            if what:
                yield Violation("statuses.forward", video, f"at {call['ended']} s {what}")
            furthest = call
    yield from _after_deletion(evidence)


def retried(evidence: Evidence) -> Iterator[Violation]:
    """What a retry is answered with is an attempt nobody had seen before."""
    shown = by((call for call in evidence.calls(*_SHOWING) if _shows(call)), "video")
    for call in evidence.calls("retry"):
        if call["status"] != 202:
            continue
        before = [seen["data"]["attempt"] for seen in shown[call["video"]] if seen["ended"] <= call["began"]]
        if before and call["data"]["attempt"] <= max(before):
            what = f"retried as attempt {call['data']['attempt']}, after attempt {max(before)} had been seen"
            yield Violation("statuses.retried", call["video"], what)


def _in_turn(calls: list[Json]) -> Iterator[Json]:
    """Yield those answers that follow each other for certain: of overlapping ones only the first to end."""
    until = float("-inf")
    for call in sorted(filter(_shows, calls), key=lambda call: call["ended"]):
        if call["began"] >= until:
            until = call["ended"]
            yield call


def _backwards(before: Json | None, after: Json) -> str | None:
    if before is None:
        return None
    old, new = before["data"], after["data"]
    told = f"{_told(new)} was shown after {_told(old)}"
    if new["attempt"] != old["attempt"]:
        return told if new["attempt"] < old["attempt"] else None
    back = _STATUSES[new["status"]] < _STATUSES[old["status"]] or _STAGES[new["stage"]] < _STAGES[old["stage"]]
    cancelled = (old.get("error") or {}).get("code") == "CANCELLED"
    return told if back or (cancelled and new["status"] != "failed") else None


def _after_deletion(evidence: Evidence) -> Iterator[Violation]:
    gone: dict[str, float] = {}
    for call in evidence.calls("delete"):
        if call["status"] == 200:
            gone.setdefault(call["video"], call["ended"])
    for call in filter(_shows, evidence.calls(*_SHOWING)):
        if call["began"] > gone.get(call["video"], float("inf")):
            yield Violation("statuses.forward", call["video"], f"at {call['ended']} s it was shown after its deletion")


def _shows(call: Json) -> bool:
    return call["status"] in (200, 202) and "attempt" in (call.get("data") or {})


def _told(data: Json) -> str:
    return f"attempt {data['attempt']} {data['status']} ({data['stage']})"
