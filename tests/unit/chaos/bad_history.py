"""A history in which everything is right, and ways to spoil it."""

from dataclasses import replace
from typing import Any

from tests.chaos.evidence import Evidence, Stored

Json = dict[str, Any]

VIDEO = "ana_1"
USER = "user-0"
KEY = "videos/ana/5.mp4"


def call(action: str, began: float, status: int | None = 200, data: Json | None = None, **more: Any) -> Json:
    """Return one HTTP call that took a tenth of a second."""
    return {
        "what": "call",
        "action": action,
        "user": USER,
        "began": began,
        "ended": began + 0.1,
        "at": began + 0.1,
        "status": status,
        "data": data,
        "video": VIDEO,
        **more,
    }


def seen(began: float, status: str, stage: str, attempt: int = 1, **more: Any) -> Json:
    """Return one look at the video."""
    return call("status", began, data={"status": status, "stage": stage, "attempt": attempt, **more})


def note(seq: int, kind: str, attempt: int = 1, video: str = VIDEO, **more: Any) -> Json:
    """Return a notification."""
    return {"seq": seq, "type": kind, "attempt": attempt, "videoId": video, "message": "Said.", **more}


def frame(data: Json, at: float, stream: str = f"{USER}/0") -> Json:
    """Return the frame that shows a notification."""
    about = {"event": "video-download-update", "id": str(data["seq"]), "data": data}
    return {"what": "frame", "stream": stream, "user": USER, "at": at, **about}


def opened(status: int, stream: str = f"{USER}/0") -> Json:
    """Return that a stream was asked for."""
    return {"what": "stream", "at": 0.1, "stream": stream, "user": USER, "status": status}


NOTES = [note(1, "rendering"), note(2, "download"), note(3, "complete")]


def asked(status: int | None = 202, began: float = 0.0, **data: Any) -> Json:
    """Return the request."""
    answer = {"videoId": VIDEO, "requestId": "video_1", **data} if status == 202 else None
    return call("ask", began, status, answer, key="one")


def told(notes: list[Json]) -> Json:
    """Return what the user found in the end."""
    return {"what": "notifications", "at": 9.0, "user": USER, "notifications": notes}


def good() -> Evidence:
    """Return the evidence of a run in which one video was asked for, rendered, stored and shown."""
    history = [
        asked(),
        seen(1, "pending", "queued"),
        seen(2, "processing", "rendering"),
        *(frame(shown, 2.0 + shown["seq"]) for shown in NOTES),
        seen(6, "ready", "ready"),
        seen(8, "ready", "ready") | {"final": True},
        told(NOTES),
    ]
    return Evidence(history, _stored())


def _stored() -> Stored:
    return Stored(
        videos=[{"_id": VIDEO, "status": "ready", "stage": "ready", "attempt": 1, "s3Key": KEY}],
        receipts=[{"_id": "r1", "videoId": VIDEO, "purpose": "complete", "outcome": "applied"}],
        workflows=[{"_id": f"{VIDEO}:1", "videoId": VIDEO, "attempt": 1, "state": "completed"}],
        assets=[{"_id": VIDEO, "state": "ready", "attempt": 1, "key": KEY, "metadata": {"size": 10}}],
        claims=[{"_id": KEY, "videoId": VIDEO}],
        objects={KEY: 10},
        executions=[run()],
    )


def run(number: str = "1", **more: Any) -> Json:
    """Return a run of the workflow whose result was delivered."""
    tried = {"status": 202, "answer": '{"data":{"receiptId":"r1","matched":true}}'}
    sent = [{"purpose": "complete", "tries": [tried]}]
    return {"id": number, "videoId": VIDEO, "attempt": 1, "status": "success", "callbacks": sent, **more}


def effect(number: str, **more: Any) -> Json:
    """Return the entry of a webhook that counted."""
    return {"_id": number, "videoId": VIDEO, "attempt": 1, "outcome": "applied", **more}


def broken(outcome: str) -> Evidence:
    """Return the evidence of a run whose error was accepted, came to `outcome`, and whose attempt was given up."""
    tried = {"status": 202, "answer": '{"data":{"receiptId":"r2","matched":true}}'}
    receipt = {"_id": "r2", "videoId": None, "executionId": "1", "purpose": "error", "outcome": outcome}
    attempt = {"_id": f"{VIDEO}:1", "videoId": VIDEO, "attempt": 1, "state": "given_up"}
    sent = [{"purpose": "error", "tries": [tried]}]
    return with_stored(executions=[run(callbacks=sent)], receipts=[receipt], workflows=[attempt])


def with_history(*entries: Json) -> Evidence:
    """Return the good evidence with these entries in the history's place."""
    return Evidence(list(entries), good().stored)


def attached(stored: Stored, *calls: Json) -> Evidence:
    """Return the evidence of a stranger's webhook that an operator attached to the video."""
    report = call("webhook", 1, 202, {"receiptId": "r1"}, name="stranger")
    return Evidence([report, call("attach", 2, 202, receipt="r1"), *calls], stored)


def with_stored(**changes: Any) -> Evidence:
    """Return the good evidence, other things stored."""
    evidence = good()
    return Evidence(evidence.history, replace(evidence.stored, **changes))


def changed(name: str, **changes: Any) -> Evidence:
    """Return the good evidence, the first stored document of that name changed; None takes a field away."""
    first = {**getattr(good().stored, name)[0], **changes}
    return with_stored(**{name: [{field: value for field, value in first.items() if value is not None}]})
