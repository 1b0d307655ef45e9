"""What a client is told of each field that is wrong, in plain words; the checking itself is pydantic's."""

from collections.abc import Iterable, Mapping
from typing import Any

WORDS = {
    "missing": "This field is required.",
    "string_type": "This must be text.",
    "string_unicode": "This must be text without broken characters.",
    "string_too_short": "Write at least {min_length} characters.",
    "string_too_long": "Write at most {max_length} characters.",
    "list_type": "This must be a list.",
    "too_short": "Give at least {min_length}.",
    "too_long": "Give at most {max_length}.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "dict_type": "This must be an object.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "literal_error": "This must be {expected}.",
    "enum": "This must be {expected}.",
    "extra_forbidden": "There is no such field here.",
    "timezone_aware": "Add a time zone: Z for UTC.",
}
"""Pydantic's error types (its docs, "Validation Errors") and what people read instead; {names} are of its `ctx`."""


def complaints(errors: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return field → sentence; a field is named by its path ("avatar.1"), without the part of the request it is in."""
    return {_name(error["loc"]): _sentence(error) for error in errors}


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path", "header")) or "body"


def _sentence(error: Mapping[str, Any]) -> str:
    words = WORDS.get(error["type"])
    if words is None:
        return f"{str(error['msg']).removeprefix('Value error, ')}."
    return words.format_map(error.get("ctx", {}))
