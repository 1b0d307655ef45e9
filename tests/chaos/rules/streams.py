"""Live streams: nothing is missing, nothing comes twice, and what can't be told is announced by a `reset`."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Json, Violation, by

UPDATE = "video-download-update"


def gapless(evidence: Evidence) -> Iterator[Violation]:
    """On each stream, over all its connections, every number follows the one before."""
    for stream, frames in by(evidence.entries("frame"), "stream").items():
        last: int | None = None
        for frame in frames:
            if frame["id"] is None:
                continue  # progress, which nobody promised
            seq = int(frame["id"])
            what = _out_of_order(frame, seq, last)
            if what:
                yield Violation("streams.gapless", str(frame["data"].get("videoId") or stream), f"{stream}: {what}")
            last = seq


def _out_of_order(frame: Json, seq: int, last: int | None) -> str | None:
    if frame["event"] == UPDATE:
        if last is not None and seq != last + 1:
            return f"number {seq} came after {last} at {frame['at']} s"
    elif frame["event"] == "reset":
        if last is not None and seq < last:
            return f"a reset went back from {last} to {seq}"
    elif last is not None and seq != last:
        return f"{frame['event']} said {seq} after {last}"
    return None


def faithful(evidence: Evidence) -> Iterator[Violation]:
    """What a stream showed as number n is what is stored as number n, and in the end it has shown the newest."""
    told = {user: {note["seq"]: note for note in notes} for user, notes in evidence.told().items()}
    last = {opened["stream"]: (opened["user"], 0) for opened in evidence.entries("stream")}
    for frame in evidence.entries("frame"):
        if frame["id"] is None:
            continue
        last[frame["stream"]] = (frame["user"], int(frame["id"]))
        stored = told.get(frame["user"], {}).get(int(frame["id"]))
        if frame["event"] == UPDATE and stored != frame["data"]:
            what = f"{frame['stream']} showed {frame['data']} as number {frame['id']}, stored is {stored}"
            yield Violation("streams.faithful", str(frame["data"].get("videoId")), what)
    for stream, (user, seq) in last.items():
        newest = max(told.get(user, {}), default=0)
        if seq != newest:
            yield Violation("streams.faithful", stream, f"it ended at number {seq}, the newest is {newest}")
