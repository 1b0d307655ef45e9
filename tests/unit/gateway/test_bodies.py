from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.routes.bodies import Download, Register

DOWNLOAD = {"videoUrl": "https://example.com/a.mp4", "title": "A title"}
REGISTER = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}


def wrong_fields(model: type[Any], body: dict[str, Any]) -> set[Any]:
    with pytest.raises(ValidationError) as found:
        model.model_validate(body)
    return {error["loc"][0] for error in found.value.errors()}


@pytest.mark.parametrize("title", ["", "  ", "\n", "a\x00b", "bell\x07", "x" * 1_001])
def test_a_title_that_cannot_be_shown_is_refused(title: str) -> None:
    assert wrong_fields(Download, {**DOWNLOAD, "title": title}) == {"title"}


@pytest.mark.parametrize("title", ["Grüße\tund\nZeilen", "日本語", "🎬", "x" * 1_000])
def test_any_other_title_is_taken_as_it_is(title: str) -> None:
    assert Download.model_validate({**DOWNLOAD, "title": title}).title == title


@pytest.mark.parametrize("password", ["        ", "short", "x" * 1_001])
def test_a_password_that_guards_nothing_is_refused(password: str) -> None:
    assert wrong_fields(Register, {**REGISTER, "password": password}) == {"password"}
