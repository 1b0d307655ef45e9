"""The secrets of one local stack: made at random at the first start, kept in a file only its owner can read."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from deploy.local.private_file import write_private


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """What the parts of the stack, and the demo user, prove themselves with."""

    webhook_secret: str = field(default_factory=_webhook_secret)
    s3_access_key: str = "reelway"
    s3_secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    n8n_api_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    demo_email: str = "demo@example.com"
    demo_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))


def keep_credentials(file: Path) -> Credentials:
    """Return the credentials in the file; those that are missing are made and written to it."""
    known = json.loads(file.read_text()) if file.exists() else {}
    names = {one.name for one in fields(Credentials)}
    credentials = Credentials(**{name: value for name, value in known.items() if name in names})
    if asdict(credentials) != known:
        write_private(file, asdict(credentials))
    return credentials
