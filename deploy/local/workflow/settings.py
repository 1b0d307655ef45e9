"""The engine's settings: environment variables WORKFLOW_*, and the logging ones every program here has."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.wiring.settings import Duration

_FRAME_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


def _frame_size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _FRAME_SIZE.fullmatch(value)
    if match is None:
        raise ValueError("it must be width and height, e.g. 1280x720")
    width, height = int(match[1]), int(match[2])
    if width % 4 or height % 4:
        raise ValueError("both numbers must be multiples of 4, e.g. 1280x720")
    return width, height


class WorkflowSettings(BaseSettings):
    """Everything that can be set; each field is the variable WORKFLOW_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="WORKFLOW_", frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(default=5678, ge=0, description="0 takes a free one, which the first line printed names.")
    data_dir: Path = Field(default=Path(".reelway/workflow"), description="Executions and rendered files.")
    public_url: str | None = Field(default=None, description="What a videoUrl begins with; its own address if unset.")
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Checks callers (with verify), proves us to the error URL and in faults."
    )
    verify: bool = Field(default=False, description="Refuse webhook calls without a Standard Webhooks signature.")
    error_url: str | None = Field(default=None, description="Where failures go that have no error callback.")
    api_key: SecretStr | None = Field(default=None, description="X-N8N-API-KEY of /api/v1; open to all if unset.")
    answer: Literal["execution-id", "default"] = Field(
        default="execution-id", description="default: 200 without executionId, as n8n does when nothing is configured."
    )
    pace: float = Field(default=1.0, ge=0, description="1: about 12 s from call to callback; 0: as fast as it renders.")
    concurrency: int = Field(default=2, ge=1, description="Videos rendered at the same time.")
    frame_size: Annotated[tuple[int, int], NoDecode, BeforeValidator(_frame_size)] = Field(
        default=(1280, 720), description="Pixels, e.g. 1280x720; tests take a small one."
    )
    frame_rate: int = Field(default=24, ge=1, le=60, description="Pictures a second; tests take a low one.")
    callback_patience: Duration = Field(
        default=timedelta(hours=6), description="How long a callback is repeated. ISO 8601 or seconds."
    )
    callback_timeout: Duration = Field(default=timedelta(seconds=10), description="For one try of a callback.")
    log_format: Literal["json", "console"] = Field(default="console", validation_alias="LOG_FORMAT")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", validation_alias="LOG_LEVEL")
