"""Settings come from the environment, and what can't work is refused at the start."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.generator.app import build
from services.generator.settings import GeneratorSettings

NEEDED = {
    "VIDEO_CREATION_WEBHOOK_URL": "http://n8n.example.com/webhook/create",
    "GENERATE_VIDEO_WEBHOOK_URL": "http://n8n.example.com/webhook/generate",
    "PUBLIC_URL": "https://reelway.example.com",
    "WEBHOOK_SECRETS": "one, two",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = GeneratorSettings()
    assert settings.webhook_secrets == ("one", "two")
    assert settings.workflow_deadline == timedelta(minutes=45)
    assert settings.late_result == "adopt"


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("PT2M", 120), ("0.5", 0.5)])
def test_durations(environment: pytest.MonkeyPatch, written: str, seconds: float) -> None:
    environment.setenv("WORKFLOW_DEADLINE", written)
    assert GeneratorSettings().workflow_deadline == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIDEO_CREATION_WEBHOOK_URL", "n8n"),
        ("WEBHOOK_SECRETS", ","),
        ("WEBHOOK_SECRETS", "whsec_***"),
        ("WORKFLOW_DEADLINE", "0"),
        ("LATE_RESULT", "maybe"),
        ("N8N_AUTH_HEADER", "X Bad"),
        ("N8N_AUTH_HEADER", "X-Alone"),
        ("N8N_AUTH_VALUE", "two\nlines"),
    ],
)
def test_what_can_not_work_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError):
        GeneratorSettings()


async def test_building_connects_to_nothing_and_shows_no_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("N8N_AUTH_HEADER", "X-Inbound")
    environment.setenv("N8N_AUTH_VALUE", "inbound-secret")
    settings = GeneratorSettings()
    app, runtime = build(settings)
    assert {"/health/live", "/health/ready", "/metrics", "/asyncapi.json"} <= {
        getattr(r, "path", "") for r in app.routes
    }
    assert "inbound-secret" not in repr(settings)
    await runtime.mongo.close()
