"""What clients send, checked field by field. Unknown fields are ignored."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LINE, TEXT = 1_000, 256 * 1024
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # all but tab and line ends


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("This field must not be blank")
    if _UNSEEN.search(text):
        raise ValueError("This field holds control characters; take them out")
    return text


def _address(text: str) -> str:
    try:
        validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("This must be an email address, such as name@example.com") from error
    return text.strip()


def _web_address(text: str) -> str:
    wrong = ValueError("This must be a link that starts with http:// or https://")
    try:
        parts = urlsplit(text.strip())
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_readable:
        raise wrong
    if any(char.isspace() or not char.isprintable() for char in text.strip()):
        raise wrong
    return text.strip()


Line = Annotated[str, Field(max_length=LINE), AfterValidator(_said)]
Text = Annotated[str, Field(max_length=TEXT), AfterValidator(_said)]
Email = Annotated[str, Field(max_length=320), AfterValidator(_address)]
WebAddress = Annotated[str, Field(max_length=4_096), AfterValidator(_web_address)]


class Create(BaseModel):
    """A video from a prompt, with the fields of VIDEO_CREATION_WEBHOOK_URL's workflow."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    prompt: Text
    avatar: Annotated[list[Line], Field(min_length=1, max_length=100)]
    name: Line
    position: Line
    company_name: Line
    license: Line
    tailored_fit: Text
    social_handles: Line
    video_topic: Line
    topic_key_points: Text
    city: Line
    preferred_tone: Line
    call_to_action: Text
    email: Email


class Generate(BaseModel):
    """A video from a script, with the fields of GENERATE_VIDEO_WEBHOOK_URL's workflow."""

    model_config = ConfigDict(extra="ignore")

    hook: Text
    body: Text
    conclusion: Text
    company_name: Line
    social_handles: Line
    license: Line
    avatar_title: Line
    avatar_body: Line
    avatar_conclusion: Line
    email: Email
    title: Line


class Download(BaseModel):
    """A finished video that lies elsewhere."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    video_url: WebAddress
    title: Line


class Register(BaseModel):
    """A new account."""

    email: Email
    password: Annotated[str, Field(min_length=8, max_length=1_000), AfterValidator(_said)]
    name: Annotated[str, Field(max_length=200), AfterValidator(_said)]


class Login(BaseModel):
    """Somebody who says who they are."""

    email: Annotated[str, Field(max_length=320), AfterValidator(_said)]
    password: Annotated[str, Field(min_length=1, max_length=1_000)]
