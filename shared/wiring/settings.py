"""Settings are environment variables; this is the part every service has in common."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from shared.access.admin import SHORTEST


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _seconds(value: object) -> object:
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdigit():
        return float(value)
    return value


def _mongo_url(value: str) -> str:
    if "://" in value and not value.startswith("mongodb+srv://"):  # whose hosts only DNS knows
        try:
            parse_uri(value, warn=True)
        except (PyMongoError, ValueError):  # what they say may hold the password
            raise ValueError("it must be an address such as mongodb://user:password@host:27017/") from None
    return value


def _storage_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ValueError("it must be an address such as https://host:9000, without a path")
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]

Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""A setting in seconds (`90`, `0.5`) or as an ISO 8601 duration (`PT45M`, `P30D`)."""


MongoUrl = Annotated[str, AfterValidator(_mongo_url)]

StorageUrl = Annotated[str, AfterValidator(_storage_url)]


class CommonSettings(BaseSettings):
    """What every service reads. A field's name is its variable's name in lower case, unless an alias says otherwise."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", description="host:port of one or more brokers.")
    kafka_idempotence: bool = Field(default=True, description="Off where the broker has no idempotent producer.")
    kafka_replication_factor: int = Field(default=1, ge=1, description="For topics that are made.")
    kafka_min_insync_replicas: int | None = Field(
        default=None,
        ge=1,
        description="For topics that are made: how many replicas must have what counts as written. Else the broker's.",
    )
    kafka_fetch_wait: Duration = Field(
        default=timedelta(seconds=0.5),
        gt=timedelta(0),
        description="How long a broker may hold back the answer that there is nothing new. Kafka answers news at once.",
    )
    kafka_session_timeout: Duration = Field(
        default=timedelta(seconds=6),
        ge=timedelta(seconds=1),
        description="A consumer silent for so long loses its partitions to others. Kafka itself takes 6 s or more.",
    )
    kafka_leave_groups: bool = Field(
        default=True,
        description="Off where a broker does not bear members that say they leave; then their sessions run out.",
    )
    kafka_standstill: Duration = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="Where messages wait and none is handled for so long, the consumers are made anew.",
    )
    dead_letters_in_a_row: int = Field(
        default=20,
        ge=0,
        description="After so many dead letters in a row a service stops consuming and is not ready; 0: never.",
    )
    admin_token: SecretStr = Field(
        default=SecretStr(""),
        description="The secret of /admin on each service's own port, 16 characters or more; off without it.",
    )
    log_format: Literal["json", "console"] = Field(default="json", description="`json`, or `console` for reading.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )

    @property
    def kafka_servers(self) -> list[str]:
        """The brokers, as clients take them."""
        return self.kafka_bootstrap_servers.split(",")

    @field_validator("admin_token")
    @classmethod
    def _not_to_be_guessed(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SHORTEST:
            raise ValueError(f"ADMIN_TOKEN must have {SHORTEST} characters or more")
        return token

    @model_validator(mode="after")
    def _writable_topics(self) -> Self:
        if (self.kafka_min_insync_replicas or 1) > self.kafka_replication_factor:
            raise ValueError(
                "KAFKA_MIN_INSYNC_REPLICAS must not be more than KAFKA_REPLICATION_FACTOR: nothing could be written"
            )
        return self


class StorageSettings(CommonSettings):
    """Where the object storage is, for the services that use it."""

    s3_endpoint: StorageUrl = Field(default="http://127.0.0.1:9000", description="Where services reach the storage.")
    s3_access_key: str = Field(description="The storage's access key.")
    s3_secret_key: SecretStr = Field(description="The storage's secret key.")
    s3_bucket: str = Field(default="reelway", description="Made at start where it is missing.")
    s3_region: str = Field(default="us-east-1", description="The region that signed URLs name.")
