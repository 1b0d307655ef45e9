"""The gateway's settings: environment variables, named as the fields below in upper case."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.gateway.signing import key_of
from shared.access.webhook_signatures import signing_key
from shared.wiring.settings import CommaSeparated, Duration, MongoUrl, StorageSettings, StorageUrl


def _usable(secrets: tuple[str, ...]) -> tuple[str, ...]:
    for secret in secrets:
        signing_key(secret)
    return secrets


def _key(pem: SecretStr) -> SecretStr:
    key_of(pem.get_secret_value())
    return pem


class GatewaySettings(StorageSettings):
    """Durations are seconds or ISO 8601 (PT15M); lists are separated by commas."""

    gateway_host: str = Field(default="127.0.0.1", description="The address it listens on.")
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="The port it listens on.")
    gateway_mongo_url: MongoUrl = Field(
        default="mongodb://127.0.0.1:27017/?retryWrites=false",
        description="The database is `gateway` unless the URL names one.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="Where browsers and the workflow engine reach the gateway. With https, cookies are Secure.",
    )
    cors_origins: CommaSeparated = Field(
        default=(), description="Origins of other frontends, such as https://app.example.com, that may call the API."
    )
    notifier_url: str = Field(default="http://127.0.0.1:8083", description="Where /api/notifications is passed on to.")
    webhook_secrets: Annotated[CommaSeparated, AfterValidator(_usable)] = Field(
        default=(), description="Every secret that may authenticate a webhook now; several while one is replaced."
    )

    registration_enabled: bool = Field(default=True, description="Whether people may make accounts themselves.")
    demo_email: str | None = Field(default=None, description="An account that is made at start, with DEMO_PASSWORD.")
    demo_password: SecretStr | None = Field(default=None, description="The password of that account.")
    jwt_private_key: Annotated[SecretStr, AfterValidator(_key)] | None = Field(
        default=None, description="Ed25519 key in PEM that signs access tokens. Without it one is made and kept."
    )
    access_token_life: Duration = Field(default=timedelta(hours=1), description="How long an access token works.")
    session_life: Duration = Field(default=timedelta(days=30), description="How long a log-in lasts without use.")
    login_window: Duration = Field(default=timedelta(minutes=15), description="The time log-in attempts count in.")
    logins_per_account: int = Field(default=10, ge=1, description="Failed log-ins to one account within the window.")
    logins_per_address: int = Field(default=100, ge=1, description="Failed log-ins from one address in the window.")
    registrations_per_address: int = Field(default=1000, ge=1, description="New accounts of one address in the window.")

    video_quota: int = Field(default=20, ge=0, description="Videos of one user that may run at once; 0: no limit.")
    expected_duration: Duration = Field(
        default=timedelta(minutes=15), description="What estimated_completion promises from the request on."
    )
    webhook_memory: Duration = Field(
        default=timedelta(days=8),
        ge=timedelta(hours=76),
        description="How long received webhooks are kept; workflows may repeat for 76 h.",
    )
    reannounce_after: Duration = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="How long an answer may take before the gateway asks again; then it waits twice as long each time.",
    )
    reannounce_most: Duration = Field(
        default=timedelta(minutes=5), gt=timedelta(0), description="The longest wait between two times of asking."
    )
    answer_deadline: Duration = Field(
        default=timedelta(days=1),
        gt=timedelta(0),
        description="A video that was asked about for so long without any news shows as failed (`UNANSWERED`). Longer "
        "than a rendering may be silent (WORKFLOW_DEADLINE, WORKFLOW_DEADLINE_MOST) and TRANSFER_DEADLINE.",
    )
    timeline_entries: int = Field(
        default=500,
        ge=1,
        description="About how many entries a video's timeline may have; passing ones go first, its corners never.",
    )
    streams_per_user: int = Field(default=20, ge=1, description="Live streams one user may have open at this process.")

    s3_public_endpoint: StorageUrl | None = Field(
        default=None, description="What browsers see in signed URLs; S3_ENDPOINT where it is not set."
    )
    download_url_life: Duration = Field(
        default=timedelta(hours=1),
        description="How long a signed URL works at most. It may be up to five minutes less (a quarter of this, where "
        "that is shorter), because a file keeps its URL for so long.",
    )
