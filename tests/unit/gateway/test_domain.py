"""The rules of state: what ranks above what, and where a retry starts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.gateway.domain import (
    CANCELLED,
    FOREVER,
    UNANSWERED,
    Failure,
    Rank,
    Stage,
    Video,
    order_of,
    restart_of,
    told_enough,
)
from shared.contracts.videos import VideoStatus

NOW = datetime(2025, 10, 2, tzinfo=UTC)


def failed(**changes: Any) -> Video:
    values: dict[str, Any] = {
        "video_id": "ann_1",
        "user_id": "ann",
        "kind": "generate",
        "title": "A tour",
        "request_id": "r",
        "status": VideoStatus.FAILED,
        "stage": Stage.FAILED,
        "attempt": 1,
        "order": order_of(1, Rank.FAILED),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Video(**{**values, **changes})


def test_a_later_attempt_is_above_everything_of_an_earlier_one() -> None:
    assert order_of(2, Rank.REQUESTED) > order_of(1, Rank.CANCELLED)
    assert order_of(999_999, Rank.CANCELLED) < FOREVER


def test_ready_comes_after_failed_and_never_after_cancelled() -> None:
    assert Rank.FAILED < Rank.READY < Rank.CANCELLED


@pytest.mark.parametrize(
    ("origin", "code", "restart"),
    [
        ("workflow", "WORKFLOW_FAILED", "workflow"),
        ("transfer", "SOURCE_UNREACHABLE", "transfer"),
        ("transfer", "NOT_A_VIDEO", "workflow"),
    ],
)
def test_a_retry_starts_where_it_failed(origin: Any, code: str, restart: str) -> None:
    failure = Failure(code, "It broke.", retryable=True, origin=origin)
    assert restart_of(failed(failure=failure, result_url="http://n8n.test/a.mp4")) == restart


@pytest.mark.parametrize(
    ("before", "restart"), [(None, "transfer"), ("workflow", "transfer"), ("transfer", "workflow")]
)
@pytest.mark.parametrize("code", ["SOURCE_REFUSED", "SOURCE_TOO_LARGE"])
def test_what_was_refused_is_fetched_once_more_before_it_is_paid_for_again(
    before: Any, restart: str, code: str
) -> None:
    failure = Failure(code, "The address leads into a private network.", retryable=False, origin="transfer")
    assert restart_of(failed(failure=failure, result_url="http://n8n.test/a.mp4", restart=before)) == restart


@pytest.mark.parametrize("failure", [CANCELLED, UNANSWERED], ids=lambda failure: failure.code)
@pytest.mark.parametrize(
    ("file", "restart"),
    [
        ({}, "workflow"),
        ({"result_url": "http://n8n.test/a.mp4"}, "transfer"),
        ({"result_key": "videos/ann/1.mp4"}, "transfer"),
    ],
)
def test_where_no_part_failed_only_a_known_file_is_fetched(failure: Failure, file: Any, restart: str) -> None:
    assert restart_of(failed(failure=failure, **file)) == restart


def test_a_late_result_that_is_being_fetched_is_not_rendered_again() -> None:
    failure = Failure("WORKFLOW_TIMEOUT", "No result in time.", retryable=True, origin="workflow")
    adopting = failed(failure=failure, stage=Stage.ADOPTING, result_key="videos/ann/1.mp4")
    assert restart_of(adopting) == "transfer"


@pytest.mark.parametrize("retryable", [True, False])
def test_an_import_is_always_fetched_again(retryable: bool) -> None:
    assert restart_of(failed(kind="import", failure=Failure("X", "", retryable, "transfer"))) == "transfer"


@pytest.mark.parametrize(("status", "running"), [("pending", True), ("processing", True), ("ready", False)])
def test_what_runs(status: str, running: bool) -> None:
    assert failed(status=VideoStatus(status)).running is running


@pytest.mark.parametrize(
    ("order", "told", "enough"),
    [
        (order_of(1, Rank.REQUESTED), 0, False),
        (order_of(1, Rank.TRANSFERRING), order_of(1, Rank.READY), False),  # the view itself has not heard
        (order_of(1, Rank.READY), order_of(1, Rank.TRANSFERRING), False),
        (order_of(1, Rank.READY), order_of(1, Rank.FAILED), False),  # adopted: the owner knows of the failure only
        (order_of(1, Rank.READY), order_of(1, Rank.READY), True),
        (order_of(1, Rank.FAILED), order_of(1, Rank.FAILED), True),
        (order_of(1, Rank.FAILED), order_of(1, Rank.READY), False),  # adopted, of which the view has not heard
        (order_of(2, Rank.FAILED), order_of(1, Rank.CANCELLED), False),
        (order_of(1, Rank.CANCELLED), order_of(1, Rank.CANCELLED), True),
        (order_of(1, Rank.CANCELLED), order_of(1, Rank.FAILED), False),  # what was cancelled had just failed
        (order_of(1, Rank.CANCELLED), order_of(1, Rank.READY), False),  # the file is still to be erased
        (FOREVER, order_of(3, Rank.CANCELLED), False),
        (FOREVER, FOREVER, True),
    ],
)
def test_it_is_asked_until_the_owner_was_told_of_the_end(order: int, told: int, *, enough: bool) -> None:
    assert told_enough(order, told) is enough
