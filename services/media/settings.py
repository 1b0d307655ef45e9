"""Everything about the media service that can be set from outside."""

import ipaddress
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.wiring.settings import CommaSeparated, Duration, MongoUrl, StorageSettings

GIB = 1024**3


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value)
    return values


def _ports(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value.isdigit() and 0 < int(value) < 65_536 for value in values):
        raise ValueError("ports are numbers from 1 to 65535")
    return values


class MediaSettings(StorageSettings):
    """The media service's settings; a duration is ISO 8601 (PT30M) or a number of seconds."""

    media_host: str = Field(default="127.0.0.1", description="The address it listens on.")
    media_port: int = Field(default=8082, ge=0, le=65535, description="The port it listens on.")
    media_mongo_url: MongoUrl = Field(
        default="mongodb://127.0.0.1:27017/?retryWrites=false",
        description="The database is `media` unless the URL names one.",
    )

    fetch_allowed_networks: Annotated[CommaSeparated, AfterValidator(_networks)] = Field(
        default=(), description="Networks (CIDR) that video URLs may lead to although they are private."
    )
    fetch_allowed_ports: Annotated[CommaSeparated, AfterValidator(_ports)] = Field(
        default=(), description="Ports that video URLs may name; every port where empty."
    )
    fetch_most_redirects: int = Field(default=5, ge=0, description="Redirects followed, each one vetted.")
    fetch_connect_timeout: Duration = Field(
        default=timedelta(seconds=10), description="How long a connection to a source may take."
    )
    fetch_read_timeout: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a source may stay silent, or take for its headers, before it counts as broken.",
    )
    fetch_slowest: int = Field(
        default=16_384,
        ge=0,
        description="Bytes a second; a source slower than that all along FETCH_READ_TIMEOUT is broken.",
    )
    max_video_bytes: int = Field(default=5 * GIB, gt=0, description="A larger video is refused.")

    transfer_deadline: Duration = Field(
        default=timedelta(minutes=30), description="From an attempt's first try until it fails for good."
    )
    transfer_unreachable_for: Duration = Field(
        default=timedelta(minutes=5),
        description="An import whose address can't be reached, or gives next to nothing, for so long fails.",
    )
    transfer_concurrency: int = Field(default=6, ge=1, description="Transfers at the same time in one process.")
    import_concurrency: int = Field(
        default=3, ge=1, description="So many of them may be imports: rendered videos do not wait behind those."
    )
    imports_per_user: int = Field(default=2, ge=1, description="So many of them may be one user's imports.")
    transfer_lease: Duration = Field(
        default=timedelta(seconds=20), description="How long a silent worker keeps its job."
    )
    transfer_retry_first: Duration = Field(default=timedelta(seconds=1), description="Pause after the first failure.")
    transfer_retry_most: Duration = Field(default=timedelta(seconds=30), description="Longest pause between tries.")
    transfer_incomplete_tries: int = Field(
        default=3, ge=1, description="After so many whole tries that ended early the source counts as incomplete."
    )
    probe_timeout: Duration = Field(default=timedelta(seconds=60), description="Longest look into a stored file.")
    sweep_every: Duration = Field(default=timedelta(seconds=5), description="Pause between looks for lost objects.")
