"""Settings: durations, lists, and secrets that can't work."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings

KEYS = {"S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> GatewaySettings:
    for name, value in {**KEYS, **variables}.items():
        monkeypatch.setenv(name, value)
    return GatewaySettings()


def test_durations_and_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(monkeypatch, ACCESS_TOKEN_LIFE="90", SESSION_LIFE="P7D", WEBHOOK_SECRETS="a, b,", CORS_ORIGINS="")
    assert (given.access_token_life, given.session_life) == (timedelta(seconds=90), timedelta(days=7))
    assert (given.webhook_secrets, given.cors_origins) == (("a", "b"), ())


def test_webhooks_are_kept_for_as_long_as_workflows_may_repeat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, WEBHOOK_MEMORY="PT76H").webhook_memory == timedelta(hours=76)
    with pytest.raises(ValidationError, match="greater than or equal to 3 days"):
        settings(monkeypatch, WEBHOOK_MEMORY="PT75H")


def test_a_secret_that_is_no_secret_is_found_at_start_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="base64") as caught:
        settings(monkeypatch, WEBHOOK_SECRETS="whsec_not base64!")
    assert "not base64!" not in str(caught.value)
