"""What the data of an n8n execution prove: whose call it answers, what it would have reported, why it failed.

Everything in the data may be hostile: nodes put into it what languages models and web pages answer. So a call is
recognised by what nobody can guess, a result by its whole shape, and only so many values are looked at.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from services.generator.attempt import Attempt
from services.generator.domain import Happening, News

MOST_ITEMS = 2_000
MOST_VALUES = 100_000
LONGEST_TEXT = 64 * 1024
MOST_TEXTS = 50

Data = dict[str, Any]


class Owner(StrEnum):
    """Whose call an execution answers."""

    OURS = "ours"
    FOREIGN = "foreign"
    UNTOLD = "untold"


class _Report(BaseModel):
    """The completion callback's body, as strict as the gateway is with it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)

    video_id: str
    attempt: int | None = None
    status: Literal["ready", "failed"]
    video_url: str | None = Field(default=None, max_length=8_192)
    s3_key: str | None = Field(default=None, max_length=1_024)
    error: Any = None


def owner_of(data: Data | None, attempt: Attempt) -> Owner:
    """Return whether the call that started this execution was the attempt's, another's, or is not to be seen."""
    keys = list(_calls(data or {}))
    if attempt.call_key in keys:
        return Owner.OURS
    return Owner.FOREIGN if keys else Owner.UNTOLD


def is_no_call_of_ours(data: Data | None) -> bool:
    """Return whether a webhook is seen to be called in a way in which we call none: without any key."""
    called = (item for item in islice(_items(data or {}), MOST_ITEMS) if _is_webhook_call(item))
    return any(True for _ in called) and not any(True for _ in _calls(data or {}))


def reported_in(data: Data | None, attempt: Attempt) -> News | None:
    """Return what the workflow reported of the attempt, or was about to: the first whole report in its data.

    A result counts before a failure: it would be taken from the callbacks too, in whatever order they came.
    """
    reports = list(_reports(_dig(data, "resultData"), attempt))
    for report in reports:
        url, key = (report.video_url or "").strip() or None, (report.s3_key or "").strip() or None
        if report.status == "ready" and (url or key):
            return News(Happening.RESULT, video_url=url, s3_key=key)
    failure = next((report for report in reports if report.status == "failed"), None)
    if failure is None:
        return None
    return News(Happening.FAILURE, message=failure.error if isinstance(failure.error, str) else None)


def error_in(data: Data | None) -> str | None:
    """Return n8n's own message of why the execution failed."""
    message = _dig(data, "resultData", "error", "message")
    return message if isinstance(message, str) else None


def _calls(data: Data) -> Iterator[str]:
    """Yield the Idempotency-Key of every call among the items that nodes gave out or were given."""
    for item in islice(_items(data), MOST_ITEMS):
        headers, body = _dig(item, "headers"), _dig(item, "body")
        named = [value for name, value in _pairs(headers) if name.lower() == "idempotency-key"]
        request_id, attempt = _dig(body, "requestId"), _dig(body, "attempt")
        if named:
            yield str(named[0])
        elif isinstance(request_id, str) and type(attempt) is int:
            yield f"{request_id}:{attempt}"


def _is_webhook_call(item: object) -> bool:
    """Return whether a Webhook node gave this out, and shows the headers of its call."""
    return isinstance(item, dict) and {"params", "query", "body"} <= item.keys() and bool(_dict(item.get("headers")))


def _items(data: Data) -> Iterator[Any]:
    for runs in _dict(_dig(data, "resultData", "runData")).values():
        for run in _list(runs):
            yield from _items_of(run)
    # What has not given anything out yet was at least given the call.
    for waiting in _list(_dig(data, "executionData", "nodeExecutionStack")):
        yield from _items_of(waiting)


def _items_of(run: object) -> Iterator[Any]:
    for output in _list(_dig(run, "data", "main")):
        for item in _list(output):
            yield _dig(item, "json")


def _reports(root: object, attempt: Attempt) -> Iterator[_Report]:
    given = {value for value in (attempt.fields or {}).values() if isinstance(value, str)}
    waiting, texts = [root], 0
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            report = _report(value, attempt)
            if report is not None:
                yield report
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, str) and texts < MOST_TEXTS and _may_hold_a_report(value, attempt, given):
            texts += 1
            waiting.append(_parsed(value))


def _report(value: Data, attempt: Attempt) -> _Report | None:
    if value.get("videoId") != attempt.video_id or "status" not in value:
        return None
    try:
        report = _Report.model_validate(value)
    except ValidationError:
        return None
    return report if report.attempt in (None, attempt.attempt) else None


def _may_hold_a_report(text: str, attempt: Attempt, given: set[str]) -> bool:
    """Bodies are often built as text; one that the user sent along is none."""
    return len(text) <= LONGEST_TEXT and text[:1] == "{" and attempt.video_id in text and text not in given


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dig(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _pairs(value: object) -> list[tuple[str, Any]]:
    return list(_dict(value).items())
