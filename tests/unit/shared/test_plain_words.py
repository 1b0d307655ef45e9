"""What others wrote is shown as one short line without secrets, whatever they wrote."""

import random

import pytest

from shared.contracts.events import TransferNoted, WorkflowNoted
from shared.contracts.plain_words import LONGEST, first_sentence, place_of, safe

SECRETS = (
    "https://user:geheim@files.example.com:8443/geheim/a.mp4?X-Amz-Signature=geheim#geheim",
    "GET http://n8n:5678/api/webhook/video-complete?token=geheim failed",
    "s3://bucket/videos/geheim.mp4",
    "Authorization: Bearer geheim12345",
    "authorization: geheim",
    "sent with Bearer geheim.geheim",
    "api_key=geheim, and so on",
    "x-api-key: geheim",
    '{"password": "geheim"}',
    "X-Amz-Signature%3Dgeheim",
    "N8N_TOKEN=geheim",
    "webhook-signature: geheim",
    "whsec_geheimgeheimgeheim",
    "eyJhbGciOi.eyJzdWIiOi.geheim",
    "sk-geheimgeheim",
    "geheim" * 9,
)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_and_the_rest_of_addresses_are_left_out(text: str) -> None:
    assert "geheim" not in safe(f"It broke: {text} (try 1).")
    assert safe(f"It broke: {text}").startswith("It broke: ")


@pytest.mark.parametrize("text", ["status 503", "The token is missing.", "Avatar generation failed", "3 of 7: 50%"])
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


def test_where_an_address_leads_is_kept() -> None:
    assert safe("(https://files.example.com:8443/a?b) is gone") == "(https://files.example.com) is gone"
    assert place_of("https://u:p@Files.example.com:99/x?y") == "https://files.example.com"
    assert place_of("http://[::1]:8/x") == "http://[::1]"
    assert [place_of(text) for text in (None, "", "junk", "http://[bad", "/path")] == [None] * 5


def test_the_first_sentence() -> None:
    assert first_sentence("It broke. Try again.") == "It broke"
    assert first_sentence("Avatar generation failed") == "Avatar generation failed"
    assert first_sentence(None) == ""


def test_whatever_was_written_is_one_short_visible_line() -> None:
    chance = random.Random(7)  # noqa: S311 - guards nothing
    for _ in range(300):
        text = "".join(chr(chance.choice((chance.randrange(256), chance.randrange(0x11000)))) for _ in range(900))
        line = safe(text)
        assert len(line) <= LONGEST
        assert line.isprintable()


@pytest.mark.parametrize("kind", [WorkflowNoted, TransferNoted])
def test_a_note_is_safe_whoever_makes_it(kind: type[WorkflowNoted] | type[TransferNoted]) -> None:
    note = kind(
        id="1",
        video_id="v_1",
        user_id="u",
        attempt=1,
        code="call.refused",
        message=f"Refused by {SECRETS[0]}",
        details={"from": SECRETS[1], "call": 1, "again": True, "seconds": 0.5},
    )
    assert "geheim" not in note.model_dump_json()
    assert note.details["call"] == 1
    assert note.details["again"] is True
