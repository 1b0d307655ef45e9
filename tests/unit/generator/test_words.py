"""What comes from outside and is shown, kept or waited for: cleaned and bounded."""

from datetime import UTC, datetime, timedelta

import pytest

from services.generator.attempt import State
from services.generator.domain import Happening, execution_id, judge
from services.generator.messages import failure_message, plain
from services.generator.n8n import LONGEST_RETRY_AFTER, retry_after
from services.generator.runs import api_beside
from services.generator.voices import voice_for
from shared.contracts.videos import FailureCode

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        ("17", "17"),
        (17, "17"),
        (" exec_1 ", "exec_1"),
        ("x" * 128, "x" * 128),
        ("x" * 129, None),
        ("", None),
        ("  ", None),
        ("a\nb", None),
        ("a\x00", None),
        (True, None),
        (None, None),
        (1.5, None),
        ({"$gt": ""}, None),
        (["17"], None),
    ],
)
def test_execution_ids(reported: object, kept: str | None) -> None:
    assert execution_id(reported) == kept


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        ("-7", None),
        ("soon", None),
        ("9" * 30, None),
        ("999999", LONGEST_RETRY_AFTER.total_seconds()),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("Fri, 02 Jan 2026", None),
        ("٣", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    wait = retry_after(value, NOW)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_plain_text_is_one_bounded_line() -> None:
    assert plain(" a\r\n\tb\x00\x1b[31mc\u202e\u200b d ") == "a b [31mc d"
    assert plain("é" * 1000) == "é" * 299 + "…"
    assert plain(None) == ""


def test_an_address_is_shown_without_what_may_be_a_secret() -> None:
    said = 'connect ECONNREFUSED "https://reelway.example.com/api/webhook/video-complete?token=ab.cd#x" after 5 tries'
    assert (
        plain(said) == 'connect ECONNREFUSED "https://reelway.example.com/api/webhook/video-complete?…" after 5 tries'
    )
    assert plain("amqps://ann:p%40ss@broker.example:5671/v and http://ann:a@b@c.example/@me?x#y") == (
        "amqps://broker.example:5671/v and http://c.example/@me?…"
    )
    said = "postgres://ann:p/ss@db.example/x amqp://ann:p?s@s@h.example/x http://ann:it's@h.example/x http://h.example:80/@a"
    assert plain(said) == "postgres://db.example/x amqp://h.example/x http://h.example/x http://h.example:80/@a"
    assert plain("see http://a.example/b and why?") == "see http://a.example/b and why?"


def test_every_failure_the_table_concludes_has_a_message() -> None:
    codes = {code for state in State for h in Happening if (code := judge(state, h).code) is not None}
    assert len(codes) == 8
    assert all(failure_message(code, None).endswith(".") for code in codes)


def test_the_workflows_own_words_are_shown_for_its_failures_only() -> None:
    assert failure_message(FailureCode.WORKFLOW_FAILED, "No credits left") == "No credits left"
    assert "status 403" in failure_message(FailureCode.WORKFLOW_REFUSED, "status 403")
    assert "boo" not in failure_message(FailureCode.WORKFLOW_TIMEOUT, "boo")


@pytest.mark.parametrize("empty", [None, "", " ", "\x00", "[]", "{}", '[{}, ""]', "…", "❌"], ids=ascii)
def test_what_has_no_word_in_it_is_no_reason(empty: str | None) -> None:
    assert failure_message(FailureCode.WORKFLOW_FAILED, empty) == "The rendering service reported a failure. Try again."
    assert "(" not in failure_message(FailureCode.WORKFLOW_REFUSED, empty)


@pytest.mark.parametrize("reason", ["No", "7", "動画", "[404]"])
def test_one_word_or_number_is_a_reason(reason: str) -> None:
    assert failure_message(FailureCode.WORKFLOW_FAILED, reason) == reason


@pytest.mark.parametrize(
    ("webhook", "api"),
    [
        ("http://n8n:5678/webhook/generate", "http://n8n:5678/api/v1"),
        ("https://example.com/n8n/webhook/a/webhook/b", "https://example.com/n8n/api/v1"),
        ("https://example.com/hooks/generate", "https://example.com/api/v1"),
    ],
)
def test_the_api_is_that_of_the_webhooks_engine(webhook: str, api: str) -> None:
    assert api_beside(webhook) == api


def test_a_voice_is_always_the_same_and_all_are_used() -> None:
    voices = [f"voice-{number}" for number in range(4)]
    avatars = [f"avatar-{number}" for number in range(60)]
    chosen = {avatar: voice_for(avatar, voices) for avatar in avatars}
    assert chosen == {avatar: voice_for(avatar, reversed(voices)) for avatar in avatars}
    assert set(chosen.values()) == set(voices)
    with_one_more = {avatar: voice_for(avatar, [*voices, "voice-new"]) for avatar in avatars}
    assert {with_one_more[avatar] for avatar in avatars if with_one_more[avatar] != chosen[avatar]} == {"voice-new"}
    assert voice_for("anyone", []) is None
