"""Writes docs/settings.md from the settings classes: python -m deploy.settings_page > docs/settings.md."""

import sys
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.gateway.settings import GatewaySettings
from services.generator.settings import GeneratorSettings
from services.media.settings import MediaSettings
from services.notifier.settings import NotifierSettings
from shared.wiring.settings import CommonSettings

CLASSES: dict[str, type[CommonSettings]] = {
    "gateway": GatewaySettings,
    "generator": GeneratorSettings,
    "media": MediaSettings,
    "notifier": NotifierSettings,
}
ROOT = Path(__file__).parent.parent

HEAD = """# Settings

Every setting is an environment variable. Durations are seconds or ISO 8601 (`PT15M`), lists are separated by commas, an
empty value counts as not set. `make up` sets what its embedded engines need; a variable that you set yourself wins, and
an engine is not started when you give the address of a real one.

This page is written by `make docs` from the settings classes; a test holds it to them.
"""


def page() -> str:
    """Return the page: one table for what all services read, one for each service's own."""
    sections = [HEAD, _section("All services", CommonSettings.model_fields)]
    for name, cls in CLASSES.items():
        own = {field: info for field, info in cls.model_fields.items() if field not in CommonSettings.model_fields}
        sections.append(_section(name.capitalize(), own))
    return "\n".join(sections)


def undocumented() -> list[str]:
    """Return the settings that say nothing about themselves."""
    return [
        f"{name}: {field}"
        for name, cls in CLASSES.items()
        for field, info in cls.model_fields.items()
        if not info.description
    ]


def _section(title: str, fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{_variable(name, info)}` | {_default(info)} | {info.description or ''} |" for name, info in fields.items()
    ]
    return "\n".join([f"## {title}", "", "| variable | default | meaning |", "|---|---|---|", *rows, ""])


def _variable(name: str, info: FieldInfo) -> str:
    return str(info.validation_alias or name).upper()


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if value in (None, "", ()) or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return "not set"
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT).as_posix()}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:g} s"


if __name__ == "__main__":
    sys.stdout.write(page())
