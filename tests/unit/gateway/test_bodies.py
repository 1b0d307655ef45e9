from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.routes.bodies import Download, Generate, Register
from shared.wiring.validation import complaints

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


def why(model: type[Any], body: dict[str, Any], field: str) -> str:
    with pytest.raises(ValidationError) as found:
        model.model_validate(body)
    return complaints(found.value.errors())[field]


INVISIBLE = ["\u202e", "\u200b", "\u200d\ufe0f", "\u3164", "\u2800 \u00ad", "\u0301", "\U000e0041", "\u2028\u00a0"]


@pytest.mark.parametrize("name", INVISIBLE, ids=ascii)
def test_what_nobody_can_see_is_no_title_no_name_no_script(name: str) -> None:
    assert "see" in why(Download, {**DOWNLOAD, "title": name}, "title") or not name.strip()
    assert wrong_fields(Register, {**REGISTER, "name": name}) == {"name"}
    assert {"hook", "company_name"} <= wrong_fields(Generate, {"hook": name, "company_name": name})


@pytest.mark.parametrize("title", ["7", "?", "👩‍👩‍👧", "العربية\u200f", "\U0001fae8", "\ue000", "e\u0301"], ids=ascii)
def test_whatever_shows_something_is_a_title(title: str) -> None:
    assert Download.model_validate({**DOWNLOAD, "title": title}).title == title


@pytest.mark.parametrize("mark", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", ids=ascii)
def test_a_title_must_read_as_what_it_is(mark: str) -> None:
    told = why(Download, {**DOWNLOAD, "title": f"Tour {mark}4pm.exe"}, "title")
    assert f"U+{ord(mark):04X}" in told
    assert "direction of the text" in told
    assert wrong_fields(Register, {**REGISTER, "name": f"Ann{mark}"}) == {"name"}


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("http://127.0.0.1:99999/x", "port"),
        ("http://127.0.0.1:0/x", "port"),
        ("http://127.0.0.1:http/x", "port"),
        ("http://ex ample.com/x", "space"),
        ("https://example.com/my video.mp4", "%20"),
        ("https://example.com/a\n.mp4", "line end"),
        ("https://example.com/\u200b.mp4", "invisible"),
        ("https://", "names no server"),
        ("https:///a.mp4", "names no server"),
        ("http://[::1/x", "server's name"),
        ("ftp://example.com/a.mp4", "starts with http:// or https://"),
        ("example.com/a.mp4", "starts with http:// or https://"),
        ("http:example.com", "starts with http:// or https://"),
    ],
)
def test_a_link_is_refused_for_what_is_wrong_with_it(link: str, told: str) -> None:
    said = why(Download, {**DOWNLOAD, "videoUrl": link}, "videoUrl")
    assert told in said
    assert said.count("starts with") == told.count("starts with")


@pytest.mark.parametrize("link", ["HTTPS://Example.com:8443/a.mp4", " http://[::1]:80/x ", "http://例え.jp/動画.mp4"])
def test_any_other_link_is_taken(link: str) -> None:
    assert Download.model_validate({**DOWNLOAD, "videoUrl": link}).video_url == link.strip()


@pytest.mark.parametrize("password", ["        ", "short", "x" * 1_001])
def test_a_password_that_guards_nothing_is_refused(password: str) -> None:
    assert wrong_fields(Register, {**REGISTER, "password": password}) == {"password"}
