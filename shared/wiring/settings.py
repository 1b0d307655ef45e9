"""Settings are environment variables; this is the part every service has in common."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
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

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", description="host:port of one or more brokers.")
    kafka_idempotence: bool = Field(default=True, description="Off where the broker has no idempotent producer.")
    kafka_replication_factor: int = Field(default=1, ge=1, description="For topics that are made.")
    log_format: Literal["json", "console"] = Field(default="json", description="`json`, or `console` for reading.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )


class StorageSettings(CommonSettings):
    """Where the object storage is, for the services that use it."""

    s3_endpoint: str = Field(default="http://127.0.0.1:9000", description="Where services reach the storage.")
    s3_access_key: str = Field(description="The storage's access key.")
    s3_secret_key: SecretStr = Field(description="The storage's secret key.")
    s3_bucket: str = Field(default="reelway", description="Made at start where it is missing.")
    s3_region: str = Field(default="us-east-1", description="The region that signed URLs name.")
