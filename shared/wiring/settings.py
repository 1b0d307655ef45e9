"""Settings are environment variables; this is the part every service has in common."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _seconds(value: object) -> object:
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdigit():
        return float(value)
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]

Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""A setting in seconds (`90`, `0.5`) or as an ISO 8601 duration (`PT45M`, `P30D`)."""


class CommonSettings(BaseSettings):
    """What every service reads. A field's name is its variable's name in lower case, unless an alias says otherwise."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_idempotence: bool = Field(default=True, description="Off where the broker has no idempotent producer.")
    kafka_replication_factor: int = Field(default=1, ge=1, description="For topics that are made.")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
