"""Every accepted request ends once, and all services say the same of that end."""

from collections.abc import Iterator

from tests.chaos.evidence import DELETED, Evidence, Json, Violation

_LIVING = frozenset({"requested", "calling", "unknown", "started"})
_ENDED = frozenset({"ready", "failed", DELETED})


def reached(evidence: Evidence) -> Iterator[Violation]:
    """Ready, failed with a code, or deleted by its owner: nothing else, and nothing forgotten."""
    views, deleted = evidence.views(), evidence.deleted()
    finals = {call["video"]: call for call in evidence.calls("status") if call.get("final")}
    for video in evidence.accepted():
        view = views.get(video)
        for what in _wrong_end(view, finals.get(video), deleted=video in deleted):
            yield Violation("ends.reached", video, what)


def _wrong_end(view: Json | None, final: Json | None, *, deleted: bool) -> Iterator[str]:
    if view is None:
        yield "it was accepted, and the gateway does not know it"
        return
    status = view["status"]
    if status not in _ENDED:
        yield f"it never ended: {status}, stage {view.get('stage')}, attempt {view.get('attempt')}"
    if deleted != (status == DELETED):
        yield f"its owner {'deleted it' if deleted else 'never deleted it'}, and it is {status}"
    if status == "failed" and not (view.get("error") or {}).get("code"):
        yield "it failed without a code"
    if final is not None and (final["status"] == 404) != (status == DELETED):
        yield f"it is {status}, and its owner was answered {final['status']}"


def nothing_left(evidence: Evidence) -> Iterator[Violation]:
    """After the quiet nobody asks, publishes, waits, or holds a place in a quota any more."""
    for name in ("videos", "receipts", "workflows", "held", "assets", "notifications"):
        for document in getattr(evidence.stored, name):
            for what in _left(document):
                yield Violation("ends.nothing_left", video_of(document), f"{name} {document['_id']} {what}")


def _left(document: Json) -> Iterator[str]:
    if "job" in document:
        yield f"keeps the job {document['job']}"
    if "outboxAt" in document:
        yield "is unpublished"
    if "slot" in document and document.get("status") in _ENDED:
        yield "ended, and holds its place in the quota"
    if document.get("state") == "held":
        yield "is held for ever"


def agreed(evidence: Evidence) -> Iterator[Violation]:
    """What the user is shown is what media and the generator have recorded."""
    assets, attempts = evidence.assets(), evidence.attempts()
    for video, view in evidence.views().items():
        asset = assets.get(video, {})
        if view["status"] == DELETED:
            yield from _all_deleted(evidence, video, asset)
            continue
        attempt = attempts.get((video, view["attempt"]), {})
        for what in (*_against_media(view, asset), *_against_generator(view, attempt)):
            yield Violation("ends.agreed", video, what)


def _against_media(view: Json, asset: Json) -> Iterator[str]:
    ready = asset.get("state") == "ready" and asset.get("attempt") == view["attempt"]
    if view["status"] == "ready" and not ready:
        yield f"it is shown as ready, media has it as {asset.get('state')} in attempt {asset.get('attempt')}"
    elif view["status"] == "ready" and asset.get("key") != view.get("s3Key"):
        yield f"its owner is given {view.get('s3Key')}, media's record says {asset.get('key')}"
    elif view["status"] == "failed" and ready:
        yield "it is shown as failed, and media has it as ready"


def _against_generator(view: Json, attempt: Json) -> Iterator[str]:
    state, error = attempt.get("state"), view.get("error") or {}
    if state in _LIVING:
        yield f"it is shown as {view['status']}, and its attempt is still {state} for the generator"
    elif view["status"] == "ready" and state not in (None, "completed"):
        yield f"it is shown as ready, and its attempt is {state} for the generator"
    elif state == "completed" and error.get("origin") == "workflow":
        yield f"its workflow completed, and it is shown as failed by it ({error.get('code')})"
    elif state in ("failed", "given_up") and view["status"] == "failed" and error.get("origin") == "transfer":
        yield f"its workflow never completed ({state}), and it is shown as failed by the transfer"


def _all_deleted(evidence: Evidence, video: str, asset: Json) -> Iterator[Violation]:
    if asset.get("state") != DELETED or "erasedAt" not in asset:
        yield Violation("ends.agreed", video, f"it was deleted, and media has it as {asset.get('state')}")
    for (owner, number), attempt in evidence.attempts().items():
        if owner == video and attempt["state"] != DELETED:
            yield Violation("ends.agreed", video, f"it was deleted, and attempt {number} is {attempt['state']}")


def video_of(document: Json) -> str:
    """Return the video a stored document is about, as far as it says."""
    return str(document.get("videoId") or document["_id"])
