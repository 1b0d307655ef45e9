"""What people read about a wrong field is never pydantic's jargon."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from shared.wiring.validation import complaints


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def _no_odd(number: int) -> int:
    if number % 2:
        raise ValueError("Even numbers only")
    return number


class Everything(BaseModel):
    said: Annotated[str, Field(min_length=1)] = "a"
    letter: Annotated[str, Field(max_length=1)] = "a"
    name: Annotated[str, BeforeValidator(str), Field(max_length=3)] = "a"
    pair: Annotated[list[str], Field(min_length=2, max_length=2)] = ["a", "b"]
    huge: int = 1
    text: Annotated[str, Field(min_length=2, max_length=3)] = "ok"
    items: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    whole: Annotated[int, Field(ge=1, le=9)] = 1
    number: Annotated[float, Field(allow_inf_nan=False)] = 0.5
    object: dict[str, int] = {}
    choice: Literal["ready", "failed"] = "ready"
    colour: Colour = Colour.RED
    even: Annotated[int, AfterValidator(_no_odd)] = 2


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("text", 7, "This must be text."),
        ("text", "\ud800\ud800", "This must be text without broken characters."),
        ("text", "a", "Write at least 2 characters."),
        ("text", "abcd", "Write at most 3 characters."),
        ("items", "a", "This must be a list."),
        ("said", "", "Write something here."),
        ("letter", "ab", "Write at most 1 character."),
        ("name", "abcd", "Give at most 3 characters."),
        ("items", [], "Give at least 1 entry."),
        ("items", ["a", "b", "c"], "Give at most 2 entries."),
        ("pair", ["a"], "Give at least 2 entries."),
        ("huge", "9" * 5_000, "This number is too large."),
        ("whole", None, "This must be a whole number."),
        ("whole", "x", "This must be a whole number."),
        ("whole", 1.5, "This must be a whole number."),
        ("whole", 0, "This must be 1 or more."),
        ("whole", 10, "This must be 9 or less."),
        ("number", None, "This must be a number."),
        ("number", "x", "This must be a number."),
        ("number", float("nan"), "This must be a number."),
        ("object", [], "This must be an object."),
        ("choice", "maybe", "This must be 'ready' or 'failed'."),
        ("colour", "green", "This must be 'red' or 'blue'."),
        ("even", 3, "Even numbers only."),
    ],
)
def test_each_kind_of_wrong_value_is_told_in_plain_words(field: str, value: Any, told: str) -> None:
    with pytest.raises(ValidationError) as found:
        Everything.model_validate({field: value})
    assert complaints(found.value.errors()) == {field: told}


def test_a_field_is_named_by_its_path_without_the_part_of_the_request() -> None:
    errors = [{"type": "missing", "loc": loc} for loc in (("body", "hook"), ("query", "limit"), ("body", "avatar", 1))]
    assert list(complaints(errors)) == ["hook", "limit", "avatar.1"]
