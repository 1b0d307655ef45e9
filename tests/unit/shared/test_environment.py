"""What somebody reads whose settings are wrong: a sentence each, the variable in it, and no secret."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.workflow.settings import WorkflowSettings
from services.gateway.settings import GatewaySettings
from services.generator.settings import GeneratorSettings
from services.media.settings import MediaSettings
from services.notifier.settings import NotifierSettings
from shared.contracts.topics import SERVICES
from shared.wiring.environment import WrongSettings, read_settings

REPOSITORY = Path(__file__).parents[3]
NEEDED = {
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "key",
    "VIDEO_CREATION_WEBHOOK_URL": "http://n8n/a",
    "GENERATE_VIDEO_WEBHOOK_URL": "http://n8n/b",
    "WEBHOOK_SECRETS": "secret",
    "PUBLIC_URL": "http://gateway",
}
KINDS = (GatewaySettings, GeneratorSettings, MediaSettings, NotifierSettings, WorkflowSettings)


def told(**environ: str) -> set[str]:
    """Return what all programs together say of these settings."""

    def each() -> Iterator[str]:
        for kind in KINDS:
            try:
                read_settings(kind, NEEDED | environ)
            except WrongSettings as wrong:
                yield from wrong.sentences

    return set(each())


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("GATEWAY_PORT", "abc", "GATEWAY_PORT must be a whole number, not 'abc'."),
        ("GATEWAY_PORT", "70000", "GATEWAY_PORT must be 65535 or less, not '70000'."),
        ("VIDEO_QUOTA", "-1", "VIDEO_QUOTA must be 0 or more, not '-1'."),
        ("LOG_LEVEL", "bogus", "LOG_LEVEL must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', not 'bogus'."),
        ("REGISTRATION_ENABLED", "maybe", "REGISTRATION_ENABLED must be true or false, not 'maybe'."),
        (
            "SESSION_LIFE",
            "soon",
            "SESSION_LIFE must be a number of seconds or an ISO 8601 duration such as PT15M, not 'soon'.",
        ),
        ("REANNOUNCE_MOST", "0", "REANNOUNCE_MOST must be more than 0 seconds."),
        ("PUBLIC_URL", "gateway", "PUBLIC_URL must be a URL such as https://example.com/path."),
        ("PUBLIC_URL", "ftp://gateway", "PUBLIC_URL must be a URL that begins with 'http' or 'https'."),
        ("N8N_AUTH_HEADER", "a b", "N8N_AUTH_HEADER must match ^[A-Za-z0-9-]*$."),
        ("N8N_AUTH_HEADER", "X-Alone", "Set both N8N_AUTH_HEADER and N8N_AUTH_VALUE, or neither."),
        ("FETCH_ALLOWED_PORTS", "http", "FETCH_ALLOWED_PORTS: ports are numbers from 1 to 65535."),
        ("WEBHOOK_SECRETS", "whsec_g%heim", "WEBHOOK_SECRETS: a secret that starts with whsec_ must go on in base64."),
        (
            "JWT_PRIVATE_KEY",
            "-----BEGIN PRIVATE KEY-----\ngeheim",
            "JWT_PRIVATE_KEY: it must be an Ed25519 private key in PEM, without a password.",
        ),
        (
            "KAFKA_MIN_INSYNC_REPLICAS",
            "2",
            "KAFKA_MIN_INSYNC_REPLICAS must not be more than KAFKA_REPLICATION_FACTOR: nothing could be written.",
        ),
        ("ADMIN_TOKEN", "geheim", "ADMIN_TOKEN must have 16 characters or more."),
        ("S3_ENDPOINT", "host:9000", "S3_ENDPOINT: it must be an address such as https://host:9000, without a path."),
        (
            "S3_PUBLIC_ENDPOINT",
            "https://host/path",
            "S3_PUBLIC_ENDPOINT: it must be an address such as https://host:9000, without a path.",
        ),
        (
            "GATEWAY_MONGO_URL",
            "mongodb://user:geheim@host:x/",
            "GATEWAY_MONGO_URL: it must be an address such as mongodb://user:password@host:27017/.",
        ),
        ("S3_SECRET_KEY", "", "S3_SECRET_KEY must be set."),
        ("WORKFLOW_PACE", "x", "WORKFLOW_PACE must be a number, not 'x'."),
        ("WORKFLOW_FRAME_SIZE", "big", "WORKFLOW_FRAME_SIZE: it must be width and height, e.g. 1280x720."),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence(variable: str, value: str, sentence: str) -> None:
    assert told(**{variable: value}) == {sentence}


def test_settings_are_read_from_what_is_given() -> None:
    assert read_settings(GatewaySettings, NEEDED | {"VIDEO_QUOTA": "7"}).video_quota == 7
    assert (
        read_settings(GatewaySettings, NEEDED | {"GATEWAY_MONGO_URL": "host:27017"}).gateway_mongo_url == "host:27017"
    )
    assert read_settings(WorkflowSettings, {"LOG_LEVEL": "DEBUG", "WORKFLOW_PORT": "0"}).log_level == "DEBUG"


@pytest.mark.parametrize("program", [*(f"services.{name}" for name in SERVICES), "deploy.local.workflow"])
def test_a_program_with_wrong_settings_says_so_and_ends_without_a_traceback(program: str) -> None:
    environ = {**os.environ, **NEEDED, "LOG_LEVEL": "bogus", "ADMIN_TOKEN": "geheim" * 3}
    done = subprocess.run(
        [sys.executable, "-m", program], cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stdout + done.stderr == "LOG_LEVEL must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', not 'bogus'.\n"
