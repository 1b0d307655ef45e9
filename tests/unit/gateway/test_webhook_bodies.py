"""What workflows may call a video, an execution, an object."""

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import from_json

from services.gateway.routes.webhook_bodies import (
    Completion,
    GrantedWorkflowError,
    Progress,
    Report,
    WorkflowError,
    whole_characters,
)
from shared.wiring.validation import complaints

COMPLETION = {"videoId": "u_1", "status": "ready", "s3Key": "videos/u/1.mp4", "executionId": "7"}
ERROR = {"errorMessage": "It broke", "executionId": "7"}
PROGRESS = {"videoId": "u_1", "attempt": 1, "executionId": "7"}
IDS = [
    (Completion, COMPLETION, "videoId"),
    (Completion, COMPLETION, "executionId"),
    (Completion, COMPLETION, "s3Key"),
    (WorkflowError, ERROR, "executionId"),
    (WorkflowError, ERROR, "videoId"),
    (GrantedWorkflowError, ERROR, "executionId"),
    (Progress, PROGRESS, "videoId"),
    (Progress, PROGRESS, "executionId"),
]


def told(shape: type[Report], body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as found:
        shape.model_validate(body)
    return complaints(found.value.errors())


@pytest.mark.parametrize(("shape", "body", "field"), IDS)
@pytest.mark.parametrize("bad", ["a\x00b", "a\x1b[2Jb", "a\nb", "a\x7f", "\u202eab", "\u200b"], ids=ascii)
def test_an_id_with_control_characters_is_refused_by_name(
    shape: type[Report], body: dict[str, Any], field: str, bad: str
) -> None:
    assert list(told(shape, {**body, field: bad})) == [field]


def test_lengths_of_ids_are_told_in_characters() -> None:
    assert told(Completion, {**COMPLETION, "videoId": "x" * 257}) == {"videoId": "Write at most 256 characters."}
    assert told(Completion, {**COMPLETION, "videoId": ""}) == {"videoId": "Write something here."}


@pytest.mark.parametrize("given", ["231", 231, " 231\n"], ids=repr)
def test_what_n8n_sends_is_taken(given: object) -> None:
    assert WorkflowError.model_validate({**ERROR, "executionId": given}).execution_id == "231"


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize(
    ("shape", "body", "field"),
    [
        (Completion, COMPLETION, "attempt"),
        (WorkflowError, ERROR, "attempt"),
        (Progress, PROGRESS, "attempt"),
        (Progress, PROGRESS, "progress"),
    ],
)
def test_true_and_false_are_no_numbers(shape: type[Report], body: dict[str, Any], field: str, truth: bool) -> None:
    assert told(shape, {**body, field: truth}) == {field: "This must be a number, not true or false."}


def test_numbers_may_be_text() -> None:
    report = Progress.model_validate({**PROGRESS, "attempt": "3", "progress": "12.5"})
    assert (report.attempt, report.progress) == (3, 12.5)


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (r'"whole \ud83d\uDE00"', "whole \N{GRINNING FACE}"),
        (r'"cut \uD83d"', "cut \N{REPLACEMENT CHARACTER}"),
        (r'"the rest \ude00\n"', "the rest \N{REPLACEMENT CHARACTER}\n"),
        (r'"\ud83d\ud83d\ude00"', "\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"),
        (r'"\ud83d\u0041\ud7ff"', "\N{REPLACEMENT CHARACTER}A\ud7ff"),
        (r'"written out: \\ud83d"', r"written out: \ud83d"),
    ],
)
def test_half_a_character_is_replaced(raw: str, meant: str) -> None:
    assert from_json(whole_characters(raw.encode())) == meant


@pytest.mark.parametrize(
    "raw", [rb'"\ud8zz"', rb'"\ud8' + b"\xff\xfe" + b'"', rb'"\udc"x"', rb'"\ud8\\b"', rb'"\ud83', b'"\xed\xa0\xbd"']
)
def test_what_is_no_json_stays_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(whole_characters(raw))


@pytest.mark.parametrize(("body", "name"), [(COMPLETION, "s3Key"), ({**COMPLETION, "s3Key": None}, "videoUrl")])
def test_half_a_character_in_an_address_is_refused(body: dict[str, Any], name: str) -> None:
    assert told(Completion, {**body, name: "https://files.example.com/\N{REPLACEMENT CHARACTER}.mp4"}).keys() == {name}
