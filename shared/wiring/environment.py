"""Reads settings from the environment, and says in plain words what is wrong there."""

import os
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from shared.wiring.validation import complaints

WRONG_SETTINGS_EXIT = 2

_WORDS = {
    "missing": "must be set.",
    "string_pattern_mismatch": "must match {pattern}.",
    "time_delta_parsing": "must be a number of seconds or an ISO 8601 duration such as PT15M.",
    "url_parsing": "must be a URL such as https://example.com/path.",
    "url_scheme": "must be a URL that begins with {expected_schemes}.",
}
"""What settings are told in other words than fields of requests."""

_SHOWN = frozenset({"int_parsing", "float_parsing", "bool_parsing", "time_delta_parsing", "literal_error"}) | frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
)
"""Errors of numbers, durations and choices: their values are no secrets. All others may hold one and are not shown."""

_LONGEST_SHOWN = 60

Settings = TypeVar("Settings", bound=BaseSettings)


class WrongSettings(Exception):
    """Settings that can't be; `sentences` has one for each: the variable, what is wrong, what is allowed."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def read_settings(kind: type[Settings], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of `environ`; where it is silent, of this process's environment. Raises WrongSettings."""
    given: dict[str, Any] = {
        str(info.validation_alias or name): environ[variable]
        for name, info in kind.model_fields.items()
        if environ.get(variable := _variable(kind, name))
    }
    try:
        return kind(**given)
    except ValidationError as problem:
        raise WrongSettings([_sentence(kind, error) for error in problem.errors(include_url=False)]) from None


def settings_or_exit(kind: type[Settings]) -> Settings:
    """Return the settings of this process; ends it with status 2 and a sentence each where some are wrong."""
    try:
        return read_settings(kind)
    except WrongSettings as wrong:
        sys.stderr.write(f"{wrong}\n")
        raise SystemExit(WRONG_SETTINGS_EXIT) from None


def _variable(kind: type[BaseSettings], name: str) -> str:
    """Return the variable of a field, which errors call by its name or by its alias."""
    info = kind.model_fields.get(name)
    if info is None:
        return name
    return str(info.validation_alias or f"{kind.model_config.get('env_prefix', '')}{name}").upper()


def _sentence(kind: type[BaseSettings], error: Mapping[str, Any]) -> str:
    (told,) = complaints([error]).values()
    if not error["loc"]:
        return told[0].upper() + told[1:]  # of several settings that don't fit each other; it names them
    variable = _variable(kind, str(error["loc"][0]))
    if error["type"] in _WORDS:
        told = f"{variable} {_WORDS[error['type']].format_map(error.get('ctx', {}))}"
    elif variable not in told:
        told = told.replace("This", variable, 1) if told.startswith("This ") else f"{variable}: {told}"
    if error["type"] in _SHOWN and isinstance(error["input"], str):
        told = f"{told.removesuffix('.')}, not {error['input'][:_LONGEST_SHOWN]!r}."
    return told
