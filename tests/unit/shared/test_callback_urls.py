import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.access.callback_urls import PATHS, CallbackGrant, CallbackTokenError, Purpose, callback_url, read_token

NOW = datetime(2025, 10, 2, 13, 29, tzinfo=UTC)
LATER = NOW + timedelta(hours=76)
GRANT = CallbackGrant("u_1759411740638", 2, "complete")


def token(grant: CallbackGrant = GRANT, signer: str = "s") -> str:
    url = callback_url("http://gateway:8080/", signer, grant, LATER)
    return parse_qs(urlsplit(url).query, strict_parsing=True)["token"][0]


@pytest.mark.parametrize("purpose", ["complete", "error", "progress"])
def test_a_url_grants_its_purpose_of_its_attempt(purpose: Purpose) -> None:
    grant = CallbackGrant("u_1759411740638", 2, purpose)
    url = callback_url("http://gateway:8080/", "s", grant, LATER)
    assert url.startswith(f"http://gateway:8080{PATHS[purpose]}?token=")
    assert read_token(["s"], token(grant), purpose, NOW) == grant


def test_it_can_be_used_again_until_its_end() -> None:
    assert read_token(["s"], token(), "complete", LATER) == read_token(["s"], token(), "complete", NOW)
    with pytest.raises(CallbackTokenError, match="expired"):
        read_token(["s"], token(), "complete", LATER + timedelta(seconds=1))


def test_it_is_good_for_one_purpose_only() -> None:
    with pytest.raises(CallbackTokenError, match="purpose"):
        read_token(["s"], token(), "error", NOW)


def test_a_secret_that_was_rotated_out_last_is_still_believed() -> None:
    assert read_token(["new", "s"], token(), "complete", NOW) == GRANT
    with pytest.raises(CallbackTokenError, match="signed"):
        read_token(["new"], token(), "complete", NOW)


def test_no_one_else_can_make_one() -> None:
    payload, mac = token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims[0] = "victim_1"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for bad in (
        "",
        ".",
        payload,
        f"{payload}.",
        f"{forged}.{mac}",
        f"{payload}.{mac}x",
        f"\u00e9.{mac}",
        "\u00e9.\u00e9",
    ):
        with pytest.raises(CallbackTokenError):
            read_token(["s"], bad, "complete", NOW)
