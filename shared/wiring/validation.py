"""What a client is told of each field that is wrong, in plain words; the checking itself is pydantic's."""

from collections.abc import Iterable, Mapping
from typing import Any

WORDS = {
    "missing": "This field is required.",
    "string_type": "This must be text.",
    "string_unicode": "This must be text without broken characters.",
    "string_too_short": "Write at least {min_length} {characters}.",
    "string_too_long": "Write at most {max_length} {characters}.",
    "string_pattern_mismatch": "This is not written as it must be.",
    "list_type": "This must be a list.",
    "too_short": "Give at least {min_length} {things}.",
    "too_long": "Give at most {max_length} {things}.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "dict_type": "This must be an object.",
    "greater_than": "This must be more than {gt}.",
    "less_than": "This must be less than {lt}.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "literal_error": "This must be {expected}.",
    "enum": "This must be {expected}.",
    "extra_forbidden": "There is no such field here.",
    "datetime_from_date_parsing": "This must be a moment, such as 2025-10-02T13:29:00Z.",
    "datetime_parsing": "This must be a moment, such as 2025-10-02T13:29:00Z.",
    "tuple_type": "This must be a list.",
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
    ctx = dict(error.get("ctx", {}))
    if error["type"] == "string_too_short" and ctx["min_length"] == 1:
        return "Write something here."
    most = ctx.get("max_length", ctx.get("min_length"))
    # Where a validator looks at the value first, pydantic no longer knows that it is a text, and calls it "Value".
    things = "character" if ctx.get("field_type") == "Value" else "entry"
    return words.format_map({**ctx, "characters": _counted("character", most), "things": _counted(things, most)})


def _counted(thing: str, number: object) -> str:
    """Return the word for `number` of them."""
    return thing if number == 1 else {"entry": "entries"}.get(thing, f"{thing}s")
