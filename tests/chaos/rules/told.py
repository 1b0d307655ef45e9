"""Notifications: each end is told once, and everybody is told."""

from collections.abc import Iterator

from tests.chaos.evidence import DELETED, Evidence, Json, Violation

_RUNNING = "Your video is being rendered."
_ENDS = {"ready": "complete", "failed": "error", DELETED: "removed"}


def once(evidence: Evidence) -> Iterator[Violation]:
    """For each video what is told only rises: attempt, then how far it is. So nothing is told twice, or too late."""
    for notes in evidence.told().values():
        before: dict[str, Json] = {}
        for note in notes:
            known = before.get(note["videoId"])
            if known is not None and _place(note) <= _place(known):
                what = f"number {note['seq']} ({_named(note)}) was told after number {known['seq']} ({_named(known)})"
                yield Violation("told.once", note["videoId"], what)
            before[note["videoId"]] = note


def everybody(evidence: Evidence) -> Iterator[Violation]:
    """The owner of every video was told how it ended, of its last attempt; that it was cancelled, too."""
    ends = {
        (note["videoId"], note["type"], note["attempt"] if note["type"] != "removed" else None, _was_cancelled(note))
        for notes in evidence.told().values()
        for note in notes
    }
    accepted = evidence.accepted()
    for video, view in evidence.views().items():
        kind = _ENDS.get(view["status"])
        attempt = view.get("attempt") if kind != "removed" else None
        cancelled = kind == "error" and _was_cancelled(view["error"])
        if video in accepted and kind is not None and (video, kind, attempt, cancelled) not in ends:
            how = "cancelled" if cancelled else view["status"]
            yield Violation("told.everybody", video, f"its owner was never told that it is {how}")


def _was_cancelled(end: Json) -> bool:
    return end.get("code") == "CANCELLED"


def _place(note: Json) -> tuple[int, int]:
    """Return where a notification stands in the life of its video; removal is the end of it."""
    if note["type"] == "removed":
        return (10**9, 0)
    ranks = {"rendering": 30, "download": 50, "error": 90, "complete": 95}
    rank = ranks[note["type"]]
    if _was_cancelled(note):
        rank = 99  # it may have crossed another end
    if note["type"] == "rendering" and note["message"] == _RUNNING:
        rank = 31  # other words say that it may be running
    return (note["attempt"], rank)


def _named(note: Json) -> str:
    return f"{note['type']} of attempt {note['attempt']}"
