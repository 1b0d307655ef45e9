"""The notifier's settings."""

from datetime import timedelta

from pydantic import Field, model_validator

from shared.contracts.topics import RETENTION
from shared.wiring.settings import CommonSettings, Duration, MongoUrl


class NotifierSettings(CommonSettings):
    """What the notifier reads from its environment."""

    notifier_host: str = Field(default="127.0.0.1", description="The address it listens on.")
    notifier_port: int = Field(default=8083, ge=0, le=65535, description="The port it listens on.")
    notifier_mongo_url: MongoUrl = Field(
        default="mongodb://127.0.0.1:27020/?retryWrites=false",
        description="The database is `notifier` unless the URL names one.",
    )

    jwks_url: str = Field(
        default="http://127.0.0.1:8080/.well-known/jwks.json",
        description="Where the gateway publishes the public keys that access tokens are verified with.",
    )
    jwks_refresh: Duration = Field(default=timedelta(minutes=5), description="How often the keys are fetched anew.")
    jwks_again_after: Duration = Field(
        default=timedelta(seconds=3),
        description="The shortest time between two fetches, however many tokens name unknown keys.",
    )

    notification_retention: Duration = Field(
        default=timedelta(days=30), description="How long a notification is kept; longer than Kafka keeps its events."
    )
    replay_most: int = Field(
        default=500, ge=1, description="The most missed notifications a stream sends one by one; beyond: a reset."
    )
    snapshot_most: int = Field(default=50, ge=1, description="The most videos the snapshot of a reset covers.")

    streams_per_user: int = Field(default=20, ge=1, description="Open streams (browser tabs) per user and replica.")
    stream_queue: int = Field(
        default=256, ge=1, description="What may wait for a client to read before its stream is cut."
    )
    stream_heartbeat: Duration = Field(default=timedelta(seconds=15), description="Silence before a comment is sent.")
    stream_retry: Duration = Field(
        default=timedelta(seconds=2), description="How soon clients are asked to come back after a cut."
    )
    auth_expiring_before: Duration = Field(
        default=timedelta(seconds=60), description="How long before its token ends a stream hears auth-expiring."
    )
    audit_every: Duration = Field(
        default=timedelta(seconds=5), description="How often the database is asked for news whose wake-up was lost."
    )

    @model_validator(mode="after")
    def _outlive_redelivery(self) -> "NotifierSettings":
        if self.notification_retention <= RETENTION:
            raise ValueError(
                f"NOTIFICATION_RETENTION must be longer than {RETENTION.days} days: while Kafka may deliver an event "
                "again, its notification must still be there to be recognised"
            )
        return self
