"""How events become sentences, in which order they stand, and what is said at their top."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.gateway.domain import Failure, Stage, Video
from services.gateway.timeline.entry import Entry, Weight, judgement_of, sentence
from services.gateway.timeline.standing import standing, why
from services.gateway.timeline.tellers import TELLERS, entry_of
from shared.contracts.events import BY_TYPE, CompletionReported, Event, VideoEvent, VideoImportRequested, VideoRequested
from shared.contracts.videos import FailureCode, VideoStatus
from tests.contract.events.test_samples import SAMPLES, load, name, read
from tests.integration.gateway import events

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SILENT = {"VideoDeleted", "VideoRemoved", "WorkflowRemoved", "CallbackJudged", "NotificationPassed"}


def test_every_event_about_a_video_is_told_or_left_out_on_purpose() -> None:
    about_videos = {kind.__name__ for kind in BY_TYPE.values() if issubclass(kind, VideoEvent)}
    assert about_videos - {kind.__name__ for kind in TELLERS} - SILENT == set()


@pytest.mark.parametrize("path", SAMPLES, ids=name)
def test_what_is_told_is_one_sentence_without_scripts_or_addresses(path: Any) -> None:
    event = read(load(path))
    entry = entry_of(event)
    if entry is None:
        return
    assert entry.message.endswith(".")
    assert len(entry.message) < 400
    shown = f"{entry.message} {entry.details}"
    assert "Three things" not in shown
    assert ".mp4" not in shown
    assert "@" not in shown
    assert entry.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_script_or_an_address_in_full_never_gets_in() -> None:
    about = {"id": "1", "video_id": "u_1", "user_id": "u", "attempt": 1, "request_id": "r", "title": "geheim"}
    link = "https://u:geheim@files.example.com/geheim.mp4?token=geheim"
    told: list[Event] = [
        VideoRequested.model_validate({**about, "kind": "generate", "email": "e", "fields": {"hook": "geheim"}}),
        VideoImportRequested.model_validate({**about, "video_url": link}),
        CompletionReported(id="2", receipt_id="r", video_id="u_1", status="ready", video_url=link, s3_key="geheim"),
        CompletionReported(id="3", receipt_id="r", video_id="u_1", status="failed", error=f"No {link}"),
        events.workflow_failed("u_1").model_copy(update={"message": f"No {link}"}),
        events.video_failed("u_1").model_copy(update={"message": f"No {link}"}),
    ]
    entries = [entry_of(event) for event in told]
    assert all(entry is not None for entry in entries)
    assert "geheim" not in str(entries)
    assert "https://files.example.com" in str(entries)


def test_the_same_id_of_two_services_makes_two_entries() -> None:
    failed = events.workflow_failed("u_1")
    other = events.video_failed("u_1").model_copy(update={"id": failed.id})
    ours, theirs = entry_of(failed), entry_of(other)
    assert ours
    assert theirs
    assert ours.id != theirs.id


def test_progress_is_told_at_milestones_only() -> None:
    told = [entry_of(events.progressed("u_1", percent)) for percent in (0, 24.9, 25, 49, 50, 74, 75, 100)]
    assert [entry and entry.id.rpartition(":")[2] for entry in told] == [None, None, "25", "25", "50", "50", "75", "75"]
    assert {entry.weight for entry in told if entry} == {Weight.PASSING}
    assert entry_of(events.transferred("u_1", 10, None)) is None


def test_a_step_stands_before_the_corner_it_led_to() -> None:
    corner = made("workflow.started", weight=Weight.CORNER)
    step = made("zzz", weight=Weight.STEP)
    assert sorted([corner, step], key=lambda entry: entry.place) == [step, corner]


def test_what_came_of_a_webhook_ends_its_sentence() -> None:
    webhook = made("webhook.error", message="It came.", outcome="contradiction")
    assert sentence(webhook) == "It came, which contradicts what was known and changed nothing."
    assert judgement_of("invented_later").words == "of which came: invented_later"


@pytest.mark.parametrize("empty", ["[]", "{}", " "])
def test_an_empty_reason_is_not_quoted(empty: str) -> None:
    entry = entry_of(CompletionReported(id="2", receipt_id="r", video_id="u_1", status="failed", error=empty))
    assert entry
    assert entry.message == "The workflow reported a failure."


@pytest.mark.parametrize(
    ("result", "where"),
    [
        ({"video_url": "https://files.example.com/a.mp4?token=geheim"}, "at https://files.example.com"),
        ({"video_url": "javascript:alert(1)"}, "at an address that can't be used"),
        ({"video_url": "http://[geheim"}, "at an address that can't be used"),
        ({"video_url": "javascript:alert(1)", "s3_key": "videos/u/a.mp4"}, "in the storage"),
        ({"s3_key": "videos/u/a.mp4"}, "in the storage"),
        ({"video_url": " "}, "without a file"),
        ({}, "without a file"),
    ],
)
def test_it_says_where_the_workflow_has_the_video(result: dict[str, str], where: str) -> None:
    entry = entry_of(CompletionReported(id="2", receipt_id="r", video_id="u_1", status="ready", **result))
    assert entry
    assert entry.message == f"The workflow reported a finished video {where}."


def made(code: str, **changes: Any) -> Entry:
    fields: dict[str, Any] = {"id": code, "video_id": "u_1", "at": NOW, "service": "generator", "attempt": 1}
    return Entry(**{**fields, "code": code, "message": "It is so.", **changes})


def video(stage: Stage, failure: Failure | None = None, **changes: Any) -> Video:
    ended = {Stage.READY: VideoStatus.READY, Stage.FAILED: VideoStatus.FAILED, Stage.CANCELLED: VideoStatus.FAILED}
    status = ended.get(stage, VideoStatus.PROCESSING)
    fields = {"video_id": "u_1", "user_id": "u", "kind": "generate", "title": "t", "request_id": "r", "order": 1}
    moments = {"created_at": NOW, "updated_at": NOW, "attempt": 1}
    return Video(**{**fields, **moments, "stage": stage, "status": status, "failure": failure, **changes})


def refused(*reasons: str, attempt: int = 1) -> Iterable[Entry]:
    return [made("call.refused", id=r, attempt=attempt, details={"reason": r}) for r in reasons]


UNREACHED = Failure(
    FailureCode.WORKFLOW_UNREACHABLE, "The rendering service was not reached in time. Try again.", True, "workflow"
)
CASES = [
    (UNREACHED, refused("status 503", "no connection"), "(2 calls were refused, the last one with: no connection)"),
    (UNREACHED, refused("status 503", attempt=2), "The rendering service was not reached in time."),
    (Failure("WORKFLOW_FAILED", "No avatar", True, "workflow"), (), "The rendering failed: No avatar."),
    (
        Failure("WORKFLOW_FAILED", "See https://x.example/a?b=c.", True, "workflow"),
        (),
        "failed: See https://x.example.",
    ),
    (
        Failure("SOURCE_UNREACHABLE", "It can't be reached. Retry later.", True, "transfer"),
        [*(made("transfer.try_failed", id=str(n)) for n in range(3)), made("transfer.not_begun", id="too late")],
        "It can't be reached (3 tries failed).",
    ),
    (Failure("CANCELLED", "You cancelled this video.", True, "user"), (), "You cancelled this video."),
    (Failure("ODD", "", True, "transfer"), (), "It failed with ODD."),
]


@pytest.mark.parametrize(("failure", "entries", "expected"), CASES, ids=lambda case: getattr(case, "code", None))
def test_why_it_failed(failure: Failure, entries: Iterable[Entry], expected: str) -> None:
    said = why(video(Stage.FAILED, failure), list(entries))
    assert said is not None
    assert said.endswith(".")
    assert expected in said


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in (Stage.FAILED, Stage.CANCELLED)])
def test_where_it_stands_is_said_at_every_stage(stage: Stage) -> None:
    assert standing(video(stage), []).endswith(".")
    assert why(video(stage), []) is None


def test_where_it_stands_tells_how_far_and_what_holds_it_up() -> None:
    assert standing(video(Stage.RENDERING, progress=40.0), []) == "The video is being rendered, 40% of it so far."
    waiting = standing(video(Stage.QUEUED), list(refused("status 503")))
    assert waiting.endswith("(1 call was refused so far, the last one with: status 503).")
    assert standing(video(Stage.QUEUED, kind="import"), []) == "The file waits to be fetched."
