"""Each rule passes a good history and fails the bad ones it is there for."""

from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, Stored
from tests.chaos.rules import Rule, answers, callbacks, ends, objects, processes, statuses, streams, told
from tests.unit.chaos.bad_history import (
    KEY,
    NOTES,
    VIDEO,
    Json,
    asked,
    attached,
    broken,
    call,
    changed,
    effect,
    frame,
    good,
    note,
    opened,
    run,
    seen,
    with_history,
    with_stored,
)
from tests.unit.chaos.bad_history import (
    told as in_the_end,
)

CANCELLED: Json = {"code": "CANCELLED"}


def cancelled_video() -> Stored:
    return changed("videos", status="failed", error={"code": "CANCELLED", "origin": "user"}).stored


def case(name: str, rule: Rule, *history: Json) -> Any:
    """Return the parameters of a test: a rule, and what was seen of a run that it judges."""
    return pytest.param(rule, with_history(*history), id=name)


def test_a_good_history_breaks_nothing() -> None:
    assert check(good()).violations == []


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        pytest.param(ends.reached, with_stored(videos=[]), id="forgotten"),
        pytest.param(ends.reached, changed("videos", status="processing", stage="rendering"), id="never-ended"),
        pytest.param(ends.reached, changed("videos", status="failed"), id="failed-without-a-code"),
        pytest.param(ends.reached, changed("videos", status="deleted"), id="deleted-by-nobody"),
        pytest.param(ends.reached, with_history(asked(), call("delete", 3)), id="deleted-and-still-there"),
        pytest.param(
            ends.reached, with_history(asked(), call("status", 5, 404, final=True)), id="ready-and-not-to-be-found"
        ),
        pytest.param(ends.nothing_left, changed("videos", job={"kind": "reannounce"}), id="asked-for-ever"),
        pytest.param(ends.nothing_left, changed("workflows", outboxAt="now"), id="unpublished"),
        pytest.param(ends.nothing_left, changed("videos", slot="ana:000001"), id="slot-kept"),
        pytest.param(ends.nothing_left, with_stored(held=[{"_id": "x", "state": "held"}]), id="held-for-ever"),
        pytest.param(ends.agreed, changed("assets", key="videos/ana/6.mp4"), id="another-file"),
        pytest.param(ends.agreed, changed("assets", state="failed"), id="ready-without-a-file"),
        pytest.param(
            ends.agreed,
            changed("videos", status="failed", error={"code": "X", "origin": "transfer"}),
            id="failed-yet-ready",
        ),
        pytest.param(ends.agreed, changed("workflows", state="started"), id="still-running-for-the-generator"),
        pytest.param(ends.agreed, changed("workflows", state="given_up"), id="given-up-and-ready"),
        pytest.param(ends.agreed, changed("videos", status="deleted"), id="deleted-here-only"),
        pytest.param(callbacks.paid_once, with_stored(executions=[run("1"), run("2")]), id="paid-twice"),
        pytest.param(callbacks.judged, with_stored(receipts=[]), id="accepted-and-not-stored"),
        pytest.param(callbacks.judged, changed("receipts", outcome=None), id="never-judged"),
        pytest.param(callbacks.judged, changed("receipts", outcome="held"), id="held-and-nobody-looks"),
        pytest.param(
            callbacks.judged,
            Evidence([call("webhook", 1, 202, {"receiptId": "r1"}, name="stranger")], good().stored),
            id="stranger-that-had-an-effect",
        ),
        pytest.param(
            callbacks.judged,
            with_history(call("webhook", 1, 202, {"receiptId": "r9"}, name="stranger")),
            id="stranger-lost",
        ),
        pytest.param(callbacks.effective, changed("workflows", state="given_up"), id="result-without-effect"),
        pytest.param(callbacks.effective, changed("workflows", state="failed"), id="failed-after-a-result"),
        pytest.param(callbacks.effective, with_stored(workflows=[]), id="result-of-nobody"),
        pytest.param(
            callbacks.effective,
            Evidence([call("attach", 2, 409, receipt="r1")], changed("workflows", state="failed").stored),
            id="failed-after-a-result-that-an-operator-could-not-attach",
        ),
        pytest.param(callbacks.effective, broken("applied"), id="error-without-effect"),
        pytest.param(
            callbacks.counted_once,
            with_stored(webhooks=[effect("webhook:r1"), effect("webhook:r1:again:1", videoId="ana_2")]),
            id="counted-for-two-videos",
        ),
        pytest.param(objects.recorded, with_stored(objects={KEY: 10, "videos/ana/4.mp4": 9}), id="orphan"),
        pytest.param(objects.recorded, changed("assets", state="deleted"), id="deleted-and-stored"),
        pytest.param(objects.stored, with_stored(objects={}), id="file-missing"),
        pytest.param(objects.stored, with_stored(objects={KEY: 9}), id="half-a-file"),
        pytest.param(objects.stored, changed("assets", posterKey="videos/ana/5.jpg"), id="poster-missing"),
        pytest.param(objects.closed, with_stored(uploads=[KEY]), id="upload-left-open"),
    ],
)
def test_what_is_stored_is_judged(rule: Rule, evidence: Evidence) -> None:
    assert [violation.video for violation in rule(good())] == []
    assert list(rule(evidence))


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        case("status-backwards", statuses.forward, seen(1, "processing", "rendering"), seen(2, "pending", "queued")),
        case(
            "stage-backwards",
            statuses.forward,
            seen(1, "processing", "transferring"),
            seen(2, "processing", "rendering"),
        ),
        case("failed-after-ready", statuses.forward, seen(1, "ready", "ready"), seen(2, "failed", "failed")),
        case(
            "running-after-failed", statuses.forward, seen(1, "failed", "failed"), seen(2, "processing", "transferring")
        ),
        case(
            "ready-after-cancelled",
            statuses.forward,
            seen(1, "failed", "failed", error=CANCELLED),
            seen(2, "ready", "ready"),
        ),
        case("attempt-backwards", statuses.forward, seen(1, "processing", "queued", 2), seen(2, "ready", "ready", 1)),
        case("shown-after-deletion", statuses.forward, call("delete", 1), seen(2, "ready", "ready")),
        case(
            "retried-as-the-same-attempt",
            statuses.retried,
            seen(1, "failed", "failed", 2),
            call("retry", 2, 202, {"attempt": 2, "status": "processing", "stage": "queued"}),
        ),
        case("one-key-two-videos", answers.same, asked(), asked(videoId="ana_2")),
        case("answered-500", answers.promised, asked(), call("status", 1, 500)),
        case("never-accepted", answers.promised, asked(503), asked(None)),
        case("stream-refused", answers.promised, asked(), opened(401)),
        case("never-showed-anything", streams.faithful, opened(200), in_the_end(NOTES)),
        case("notification-missing", streams.gapless, frame(NOTES[0], 1), frame(NOTES[2], 2)),
        case("notification-twice", streams.gapless, frame(NOTES[0], 1), frame(NOTES[0], 2)),
        case("reset-to-the-past", streams.gapless, frame(NOTES[1], 1), {**frame(NOTES[0], 2), "event": "reset"}),
        case("passed-over-in-silence", streams.gapless, frame(NOTES[0], 1), {**frame(NOTES[2], 2), "event": "ready"}),
        case("showed-something-else", streams.faithful, frame(note(1, "download"), 1), in_the_end(NOTES[:1])),
        case("never-showed-the-end", streams.faithful, frame(NOTES[0], 1), in_the_end(NOTES)),
        case("two-ends", told.once, in_the_end([note(1, "complete"), note(2, "complete")])),
        case("error-after-complete", told.once, in_the_end([note(1, "complete"), note(2, "error")])),
        case("download-after-the-end", told.once, in_the_end([note(1, "complete"), note(2, "download")])),
        case("older-attempt-told", told.once, in_the_end([note(1, "error", 2), note(2, "error", 1)])),
        case("told-after-removal", told.once, in_the_end([note(1, "removed"), note(2, "error")])),
        case("end-not-told", told.everybody, asked(), in_the_end(NOTES[:2])),
        pytest.param(
            told.everybody,
            Evidence([asked(), in_the_end([note(1, "error", code="WORKFLOW_FAILED")])], cancelled_video()),
            id="cancelled-and-told-only-of-a-failure",
        ),
        case("died", processes.alive, {"what": "died", "at": 3, "process": "media", "how": "exit 1"}),
        case("overslept", processes.alive, {"what": "overslept", "at": 3, "process": "media"}),
    ],
)
def test_what_was_seen_is_judged(rule: Rule, evidence: Evidence) -> None:
    assert list(rule(good())) == []
    assert list(rule(evidence))


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        case(
            "adopted",
            statuses.forward,
            seen(1, "failed", "failed"),
            seen(2, "failed", "adopting"),
            seen(3, "ready", "ready"),
        ),
        case("tried-again", statuses.forward, seen(1, "failed", "failed"), seen(2, "processing", "queued", 2)),
        case(
            "two-answers-under-way-at-once",
            statuses.forward,
            seen(1.05, "processing", "rendering"),
            seen(1, "ready", "ready"),
        ),
        case(
            "reset-instead-of-history",
            streams.gapless,
            frame(NOTES[0], 1),
            {**frame(NOTES[1], 2), "event": "reset"},
            frame(NOTES[2], 3),
        ),
        case(
            "cancelled-as-it-came",
            told.once,
            in_the_end([note(1, "complete"), note(2, "error", code="CANCELLED")]),
        ),
        case("complete-after-adoption", told.once, in_the_end([note(1, "error"), note(2, "complete")])),
        pytest.param(callbacks.effective, broken("quarantined"), id="error-of-nobody-in-quarantine"),
        pytest.param(
            callbacks.counted_once,
            with_stored(webhooks=[effect("webhook:r1"), effect("webhook:r1:again:1")]),
            id="what-counted-said-again-of-the-one-attached",
        ),
        pytest.param(callbacks.judged, attached(good().stored), id="stranger-attached"),
        pytest.param(
            callbacks.effective, attached(changed("workflows", state="failed").stored), id="ended-by-operators"
        ),
        pytest.param(
            callbacks.effective,
            attached(changed("workflows", state="failed").stored, call("attach", 3, 409, receipt="r1", video="ana_2")),
            id="ended-by-one-operator-while-another-was-refused",
        ),
        case("repeated-until-answered", answers.same, asked(None), asked(), asked()),
    ],
)
def test_what_is_allowed_passes(rule: Rule, evidence: Evidence) -> None:
    assert list(rule(evidence)) == []


def test_a_violation_names_the_video() -> None:
    assert {violation.video for violation in ends.reached(with_stored(videos=[]))} == {VIDEO}
