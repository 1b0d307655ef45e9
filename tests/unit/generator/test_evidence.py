"""What an execution's data prove: only the whole shape counts, and hostile data prove nothing."""

import json
from typing import Any

import pytest

from services.generator.attempt import State
from services.generator.domain import Happening
from services.generator.evidence import LONGEST_TEXT, MOST_VALUES, Owner, error_in, owner_of, reported_in
from tests.unit.generator.test_table import attempt_in

ATTEMPT = attempt_in(State.STARTED)
URL = "https://files.example.com/1.mp4"
REPORT = {"videoId": "ann_1", "status": "ready", "videoUrl": URL, "metadata": {"size": 1}, "executionId": "7"}
CALL = {
    "headers": {"idempotency-key": "video_1_x:1"},
    "params": {},
    "query": {},
    "body": {"videoId": "ann_1", "requestId": "video_1_x", "attempt": 1, "body": "secret script"},
}


def output(*items: Any) -> dict[str, Any]:
    return {"startTime": 1, "data": {"main": [[{"json": item} for item in items]]}}


def ended(*nodes: Any, call: Any = CALL, error: str | None = None) -> dict[str, Any]:
    """Return the data of a run whose nodes gave out these items, one each."""
    data = {"Webhook": [output(call)], **{f"Node {number}": [output(item)] for number, item in enumerate(nodes)}}
    failed = {} if error is None else {"error": {"name": "NodeApiError", "message": error}}
    return {"resultData": {"runData": data, "lastNodeExecuted": "Node", **failed}}


def running(call: Any = CALL) -> dict[str, Any]:
    waiting = {"node": {"name": "Webhook"}, "data": {"main": [[{"json": call}]]}, "source": None}
    return {"resultData": {"runData": {}}, "executionData": {"nodeExecutionStack": [waiting]}}


@pytest.mark.parametrize(
    ("data", "owner"),
    [
        (ended(), Owner.OURS),
        (running(), Owner.OURS),
        (ended(call={"headers": {"Idempotency-Key": "video_1_x:1"}, "body": "raw"}), Owner.OURS),
        (ended(call={"body": CALL["body"]}), Owner.OURS),
        (ended(call={**CALL, "headers": {"idempotency-key": "video_1_x:2"}}), Owner.FOREIGN),
        (ended(call={"body": {**CALL["body"], "requestId": "video_1_y"}}), Owner.FOREIGN),  # type: ignore[dict-item]
        (ended(call={"body": {"videoId": "ann_1", "attempt": 1}}), Owner.UNTOLD),
        (ended(call={"body": {**CALL["body"], "attempt": True}}), Owner.UNTOLD),  # type: ignore[dict-item]
        (ended(call={"note": CALL}), Owner.UNTOLD),
        (ended(call=None), Owner.UNTOLD),
        (None, Owner.UNTOLD),
        ({}, Owner.UNTOLD),
        ({"resultData": []}, Owner.UNTOLD),
        ({"resultData": {"runData": {"Webhook": "x", "Other": [None, {"data": {"main": [None, [3]]}}]}}}, Owner.UNTOLD),
    ],
)
def test_whose_call_it_answers(data: dict[str, Any] | None, owner: Owner) -> None:
    assert owner_of(data, ATTEMPT) is owner


@pytest.mark.parametrize(
    "node",
    [
        REPORT,
        {**REPORT, "attempt": 1},
        {"body": REPORT},
        {"raw": json.dumps(REPORT), "key": "done-7"},
        {"deep": [[{"er": {"raw": json.dumps({"body": json.dumps(REPORT)})}}]]},
    ],
    ids=["as it is", "with the attempt", "in a field", "as text", "deep down"],
)
def test_a_result_is_found_however_the_workflow_built_it(node: Any) -> None:
    news = reported_in(ended({"some": "thing"}, node), ATTEMPT)
    assert news is not None
    assert (news.happening, news.video_url, news.s3_key) == (Happening.RESULT, URL, None)


def test_a_result_is_found_in_the_error_of_the_node_that_was_to_report_it() -> None:
    data = ended({"some": "thing"}, error="ECONNREFUSED")
    data["resultData"]["error"]["context"] = {"request": {"method": "POST", "body": REPORT}}
    news = reported_in(data, ATTEMPT)
    assert news is not None
    assert news.video_url == URL


@pytest.mark.parametrize(
    "changes",
    [
        {"videoId": "ann_2"},
        {"videoId": ["ann_1"]},
        {"status": "rendering"},
        {"status": True},
        {"attempt": 2},
        {"attempt": "1"},
        {"videoUrl": None},
        {"videoUrl": "  "},
        {"videoUrl": 7},
        {"videoUrl": {"$ne": ""}},
        {"videoUrl": "https://x/" + "y" * 9_000},
        {"videoUrl": None, "s3Key": "k" * 2_000},
    ],
    ids=str,
)
def test_what_is_not_a_whole_report_is_none(changes: dict[str, Any]) -> None:
    assert reported_in(ended({**REPORT, **changes}), ATTEMPT) is None


def test_an_object_is_a_result_too() -> None:
    news = reported_in(ended({**REPORT, "videoUrl": None, "s3Key": " videos/ann/1.mp4 "}), ATTEMPT)
    assert news is not None
    assert (news.video_url, news.s3_key) == (None, "videos/ann/1.mp4")


def test_of_several_results_the_first_counts_and_any_result_before_a_failure() -> None:
    failed = {"videoId": "ann_1", "status": "failed", "error": "No credits left"}
    news = reported_in(ended(failed, REPORT, {**REPORT, "videoUrl": "https://files.example.com/2.mp4"}), ATTEMPT)
    assert news is not None
    assert news.video_url == URL
    only = reported_in(ended(failed), ATTEMPT)
    assert only is not None
    assert (only.happening, only.message) == (Happening.FAILURE, "No credits left")
    odd = reported_in(ended({**failed, "error": {"deep": 1}}), ATTEMPT)
    assert odd is not None
    assert odd.message is None


def test_what_the_user_sent_along_as_text_is_no_report() -> None:
    planted = json.dumps({**REPORT, "videoUrl": "https://evil.example.com/1.mp4"})
    attempt = ATTEMPT.but(fields={"hook": planted})
    call = {**CALL, "body": {**CALL["body"], "hook": planted}}  # type: ignore[dict-item]
    assert reported_in(ended({"hook": planted}, call=call), attempt) is None


@pytest.mark.parametrize(
    "data",
    [
        {"resultData": {"deep": json.loads("[" * 900 + "]" * 900)}},
        ended(*[{"n": number} for number in range(500)]),
        ended({"raw": '{"videoId": "ann_1", "status": "ready", ' + "[" * 30_000}),
        ended({"raw": json.dumps(REPORT) + " " * LONGEST_TEXT}),
        ended([1] * (MOST_VALUES + 1), REPORT),
    ],
    ids=["deep", "many", "broken text", "long text", "more than is looked at"],
)
def test_hostile_data_end(data: dict[str, Any]) -> None:
    assert reported_in(data, ATTEMPT) is None


def test_the_error() -> None:
    assert error_in(ended(error="Avatar generation failed")) == "Avatar generation failed"
    assert error_in({"resultData": {"error": {"message": 7}}}) is None
    assert error_in({"resultData": {"error": "x"}}) is None
    assert error_in(None) is None
