"""The shapes of the contract as patterns: a type, a set of types, a regular expression, or a nested shape.

A name that ends in `?` may be missing. Anything that is not named is an error, so that nothing creeps in unseen.
"""

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
VIDEO_ID = re.compile(r"[0-9a-f]{24}_\d{13}")
REQUEST_ID = re.compile(r"video_\d{13}_[0-9a-f]+")
NUMBER = (int, float)
LINK = re.compile(r"https?://\S+")

ACCEPTED = {
    "status": re.compile("processing"),
    "timestamp": TIME,
    "estimated_completion": TIME,
    "note": str,
    "videoId": VIDEO_ID,
    "requestId": REQUEST_ID,
}
METADATA = {
    "size": int,
    "format": str,
    "duration?": NUMBER,
    "width?": int,
    "height?": int,
    "codec?": str,
    "sha256?": str,
    "originalUrl?": str,
}
VIDEO = {
    "videoId": VIDEO_ID,
    "userId": str,
    "title": str,
    "status": re.compile("pending|processing|ready|failed"),
    "downloadUrl?": LINK,
    "videoUrl?": LINK,
    "s3Key?": str,
    "posterUrl?": LINK,
    "metadata?": METADATA,
    "createdAt": TIME,
    "updatedAt": TIME,
    "stage": str,
    "progress?": NUMBER,
    "message?": str,
    "attempt": int,
    "estimated_completion?": TIME,
    "error?": {"code": str, "message": str, "retryable": bool},
}
HISTORY = {
    "executionId": str,
    "userId": str,
    "email": str,
    "status": re.compile("pending|completed|failed"),
    "createdAt": TIME,
    "completedAt?": TIME,
    "errorMessage?": str,
    "videoId": VIDEO_ID,
    "attempt": int,
    "title": str,
}
TIMELINE = {
    "videoId": VIDEO_ID,
    "title": str,
    "status": re.compile("pending|processing|ready|failed"),
    "stage": str,
    "attempt": int,
    "createdAt": TIME,
    "standing": re.compile(r".+\."),
    "why?": re.compile(r".+\."),
    "entries": [
        {
            "id": str,
            "time": TIME,
            "attempt": int,
            "service": re.compile("gateway|generator|media|notifier"),
            "code": re.compile("[a-z][a-z_.]*"),
            "level": re.compile("info|warning|error"),
            "message": re.compile(r".+\."),
            "outcome?": str,
            "traceId?": re.compile("[0-9a-f]{32}"),
            "details?": dict,
        }
    ],
}


def check(value: Any, shape: Any, where: str = "data") -> None:
    """Assert that `value` has `shape`."""
    if isinstance(shape, re.Pattern):
        assert isinstance(value, str), f"{where}: {value!r} is no text"
        assert shape.fullmatch(value), f"{where}: {value!r}"
    elif isinstance(shape, dict):
        _check_fields(value, shape, where)
    elif isinstance(shape, list):
        for index, part in enumerate(value):
            check(part, shape[0], f"{where}[{index}]")
    else:
        assert isinstance(value, shape), f"{where}: {value!r} is no {shape}"


def _check_fields(value: Any, shape: dict[str, Any], where: str) -> None:
    assert isinstance(value, dict), f"{where}: {value!r} is no object"
    known = {name.removesuffix("?") for name in shape}
    assert set(value) <= known, f"{where}: {set(value) - known} is not in the contract"
    for name, part in shape.items():
        plain = name.removesuffix("?")
        if plain in value:
            check(value[plain], part, f"{where}.{plain}")
        else:
            assert name.endswith("?"), f"{where}.{plain} is missing"


def success(answer: Any, status: int, shape: Any, message: str | None = None) -> Any:
    """Assert that an answer is the envelope of a success, and return its data."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["success"] is True
    assert set(body) <= {"success", "message", "data"}
    if message is not None:
        assert body["message"] == message
    check(body["data"], shape)
    return body["data"]


def refusal(answer: Any, status: int, code: str, *fields: str) -> str:
    """Assert that an answer is the envelope of a refusal that names these fields, and return its message."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["success"] is False
    assert set(body) == {"success", "message", "error"}
    assert body["error"]["code"] == code
    assert set(body["error"].get("fields", {})) == set(fields)
    assert answer.headers["content-type"] == "application/json"
    message = str(body["message"])
    assert message.endswith(".")
    return message
