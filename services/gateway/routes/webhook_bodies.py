"""What workflow engines report, checked field by field. Unknown fields are ignored.

Where a callback URL says which video and attempt it is about, the body need not.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

WORDS = 4_000

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HEX = rb"[0-9a-fA-F]"
_HIGH, _LOW = rb"u[dD][89abAB]" + 2 * _HEX, rb"u[dD][c-fC-F]" + 2 * _HEX
_ESCAPE = re.compile(rb"\\(?:%b\\%b|(?P<half>%b|%b)|.)" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)


def whole_characters(raw: bytes) -> bytes:
    """Return JSON with a replacement character for each escaped half of one, which our JSON parser does not take.

    What JavaScript cut in the middle of an emoji ends so; refused, the whole report would be lost.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], raw)


def _text(value: object) -> object:
    """Take what workflows send as a message: text, cut where it is too long, or any JSON as text."""
    if value is None or isinstance(value, str):
        return value[:WORDS] if value else value
    return json.dumps(value, ensure_ascii=False)[:WORDS]


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):  # which Python, and so pydantic, counts among the numbers
        raise ValueError("This must be a number, not true or false")
    return value


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("This field must not be blank")
    return text


def _printable(text: str) -> str:
    name = text.strip(" \t\r\n")  # what an expression in a workflow easily leaves behind
    if not name.isprintable() or _REPLACEMENT in name:
        raise ValueError("This holds control, invisible or broken characters, as no id does; take them out")
    return name


def _unbroken(link: str) -> str:
    if _REPLACEMENT in link:
        raise ValueError("This holds a broken character; send the whole address")
    return link


# BeforeValidator stands last, so that the lengths are those of a text.
Id = Annotated[
    str,
    Field(min_length=1, max_length=256),
    AfterValidator(_said),
    AfterValidator(_printable),
    BeforeValidator(_number_as_text),
]
Attempt = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_no_truth_value)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), BeforeValidator(_no_truth_value)]
Words = Annotated[str, BeforeValidator(_text)]
Key = Annotated[str, Field(min_length=1, max_length=1_024), AfterValidator(_said), AfterValidator(_printable)]
Link = Annotated[str, Field(min_length=1, max_length=8_192), AfterValidator(_said), AfterValidator(_unbroken)]


class Report(BaseModel):
    """What every report may name: the attempt it is about and the execution that worked on it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    video_id: Id | None = None
    attempt: Attempt | None = None
    execution_id: Id | None = None

    def news(self) -> dict[str, Any]:
        """Return what the report says beyond that."""
        return self.model_dump(exclude={"video_id", "attempt", "execution_id"}, exclude_none=True)

    def wrong_fields(self) -> dict[str, str]:
        """Return what is wrong with fields that are right each by itself."""
        return {}


class Completion(Report):
    """A video is ready at `videoUrl` or `s3Key`, or it failed with `error`."""

    video_id: Id
    status: Literal["ready", "failed"]
    s3_key: Key | None = None
    video_url: Link | None = None
    metadata: dict[str, Any] | None = None
    error: Words | None = None

    def wrong_fields(self) -> dict[str, str]:
        """Return that a ready video must lie somewhere."""
        if self.status == "ready" and self.s3_key is None and self.video_url is None:
            return {"videoUrl": "With status ready, videoUrl or s3Key must say where the video is"}
        return {}


class GrantedWorkflowError(Report):
    """A workflow broke, as told through a callback URL, which says which attempt that is about."""

    error_message: Annotated[Words, AfterValidator(_said)]
    workflow: Words | None = None


class WorkflowError(GrantedWorkflowError):
    """A workflow broke; its execution says which attempt that is about."""

    execution_id: Id


class GrantedProgress(Report):
    """How far an execution is, in percent, as told through a callback URL."""

    video_id: Id
    attempt: Attempt
    progress: Percent | None = None
    message: Words | None = None


class Progress(GrantedProgress):
    """How far an execution is, in percent."""

    execution_id: Id
