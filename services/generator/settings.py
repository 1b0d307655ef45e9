"""The generator's settings: environment variables, each with what it is for."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from services.generator.messages import LateResult
from shared.access.webhook_signatures import signing_key
from shared.wiring.settings import CommaSeparated, CommonSettings, Duration, MongoUrl

CALLBACK_GRACE = timedelta(hours=76)
"""How long after the last possible deadline a callback URL still works: n8n may be down over a long weekend."""


class CatalogSettings(CommonSettings):
    """What the import of a catalog reads."""

    generator_mongo_url: MongoUrl = Field(
        default="mongodb://127.0.0.1:27017/", description="The database is `generator` unless the URL names one."
    )


class GeneratorSettings(CatalogSettings):
    """What the generator reads."""

    generator_host: str = Field(default="127.0.0.1", description="The address it listens on.")
    generator_port: int = Field(default=8081, ge=0, le=65535, description="The port it listens on.")

    video_creation_webhook_url: HttpUrl = Field(description="Where requests of kind `create` are sent.")
    generate_video_webhook_url: HttpUrl = Field(description="Where requests of kind `generate` are sent.")
    n8n_auth_header: str = Field(
        default="", pattern=r"^[A-Za-z0-9-]*$", description="The header n8n's Header Auth credential asks for, if any."
    )
    n8n_auth_value: SecretStr = Field(default=SecretStr(""), description="That header's value.")
    webhook_secrets: CommaSeparated = Field(
        min_length=1, description="The first one signs calls and callback URLs; shared with the gateway."
    )
    public_url: HttpUrl = Field(description="Where the workflow engine reaches the gateway.")

    workflow_deadline: Duration = Field(
        default=timedelta(minutes=45),
        gt=timedelta(0),
        description="From the first call to the workflow's result; longer where n8n says that it still runs.",
    )
    workflow_deadline_step: Duration = Field(
        default=timedelta(minutes=15),
        gt=timedelta(0),
        description="So much longer a run is waited for, again and again, that n8n says is still running.",
    )
    workflow_deadline_most: Duration = Field(
        default=timedelta(hours=3), description="From the first call to the last deadline, whatever n8n says."
    )
    workflow_estimate: Duration = Field(
        default=timedelta(minutes=15),
        description="How long a video takes, where the gateway does not say.",
    )
    workflow_answer_timeout: Duration = Field(
        default=timedelta(seconds=60), gt=timedelta(0), description="How long the answer to a call is waited for."
    )
    workflow_connect_timeout: Duration = Field(
        default=timedelta(seconds=5), gt=timedelta(0), description="How long a connection may take; then it is retried."
    )
    n8n_api_key: SecretStr = Field(
        default=SecretStr(""),
        description="A key of n8n's API: to ask what became of runs, call again what never began, stop the unwanted.",
    )
    workflow_ask_every: Duration = Field(
        default=timedelta(minutes=1), gt=timedelta(0), description="How often n8n is asked about each run."
    )
    workflow_lost_after: Duration = Field(
        default=timedelta(minutes=5),
        description="A run that was over for so long without a callback is concluded; n8n's retries take up to 25 s.",
    )
    workflow_stop_within: Duration = Field(
        default=timedelta(hours=1),
        description="How long stopping an unwanted run is tried, or the run looked for where nobody named it.",
    )
    dispatch_concurrency: int = Field(
        default=8,
        ge=1,
        description="Calls at once, per process; what asks n8n about older ones takes half of these places, or one.",
    )
    dispatch_retry_first: Duration = Field(default=timedelta(seconds=1), description="Wait after the first refusal.")
    dispatch_retry_most: Duration = Field(default=timedelta(seconds=30), description="The longest wait between calls.")
    job_lease: Duration = Field(
        default=timedelta(seconds=20), gt=timedelta(0), description="A worker that shows no life for so long is dead."
    )

    late_result: LateResult = Field(
        default="adopt", description="`adopt` or `discard` a result that is reported after the deadline."
    )
    held_for: Duration = Field(
        default=timedelta(hours=1), description="How long a callback that matches nothing yet is held."
    )
    catalog_file: Path = Field(
        default=Path(__file__).with_name("data") / "catalog.json",
        description="Avatars, voices and topics, imported at the first start.",
    )

    @field_validator("webhook_secrets")
    @classmethod
    def _usable(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        for secret in secrets:
            signing_key(secret)
        return secrets

    @model_validator(mode="after")
    def _header_of_one_line(self) -> Self:
        value = self.n8n_auth_value.get_secret_value()
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ValueError("N8N_AUTH_VALUE must be one line of ASCII characters")
        if bool(self.n8n_auth_header) != bool(value):
            raise ValueError("set both N8N_AUTH_HEADER and N8N_AUTH_VALUE, or neither")
        return self
