"""What clients send, checked field by field. Unknown fields are ignored."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.gateway.routes.texts import Email, Line, Text, WebAddress, said, seen, straight


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
    password: Annotated[str, Field(min_length=8, max_length=1_000), AfterValidator(said)]
    name: Annotated[str, Field(max_length=200), AfterValidator(said), AfterValidator(seen), AfterValidator(straight)]


class Login(BaseModel):
    """Somebody who says who they are."""

    email: Annotated[str, Field(max_length=320), AfterValidator(said)]
    password: Annotated[str, Field(min_length=1, max_length=1_000)]
