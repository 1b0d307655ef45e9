"""`python3 deploy/new_env.py > .env`: .env.example with a random secret for every name that has none."""

import base64
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def filled(line: str) -> str:
    """Return `line` with a secret behind its name, or as it is where it is no name without a value."""
    if line.startswith("#") or not line.endswith("="):
        return line
    if line == "WEBHOOK_SECRETS=":
        return f"{line}whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    return line + secrets.token_hex(24)


def main() -> None:
    """Write to standard output; what is there is never read or overwritten."""
    sys.stdout.write("".join(f"{filled(line)}\n" for line in EXAMPLE.read_text().splitlines()))


if __name__ == "__main__":
    main()
