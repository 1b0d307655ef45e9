from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.access.access_tokens import AccessTokenError, Identity, issue, key_id_of, token_in, verify

KEY = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}


def identity(seconds: float = 60) -> Identity:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    return Identity("user-1", "session-1", expires_at)


def test_a_token_says_who_which_session_and_until_when() -> None:
    who = identity()
    token = issue(who, KEY, "k1", datetime.now(UTC))
    assert key_id_of(token) == "k1"
    assert verify(token, KEYS) == who


def test_a_few_seconds_of_clock_difference_are_forgiven_but_no_more() -> None:
    assert verify(issue(identity(-5), KEY, "k1", datetime.now(UTC)), KEYS).user_id == "user-1"
    with pytest.raises(AccessTokenError, match="Expired"):
        verify(issue(identity(-15), KEY, "k1", datetime.now(UTC)), KEYS)


def test_a_clock_that_is_behind_refuses_nobody() -> None:
    in_ten_minutes = datetime.now(UTC) + timedelta(minutes=10)
    assert verify(issue(identity(), KEY, "k1", in_ten_minutes), KEYS).user_id == "user-1"


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {"iss": "reelway", "aud": "reelway", "sub": "u", "sid": "s", "iat": now, "exp": now + timedelta(hours=1)}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(body: dict[str, Any], key: Any = KEY, algorithm: str = "EdDSA", key_id: str = "k1") -> str:
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": key_id})


def test_the_hand_made_token_is_good_so_that_the_next_tests_mean_something() -> None:
    assert verify(signed(claims()), KEYS).user_id == "u"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not.a.token",
        signed(claims(), key_id="k2"),
        signed(claims(), key=Ed25519PrivateKey.generate()),
        signed(claims(), key="a secret of thirty-two characters", algorithm="HS256"),
        signed(claims(), key="", algorithm="none"),
        signed(claims(iss="other")),
        signed(claims(aud="other")),
        signed(claims(aud=None)),
        signed(claims(exp=None)),
        signed(claims(sub=None)),
        signed(claims(sid=None)),
        signed(claims())[:-4] + "AAAA",
    ],
)
def test_forged_and_incomplete_tokens_are_refused(token: str) -> None:
    with pytest.raises(AccessTokenError):
        verify(token, KEYS)


def test_the_header_wins_over_the_cookie_and_is_never_mixed_with_it() -> None:
    cookies = {"reelway_access": "from-cookie"}
    assert token_in("Bearer from-header", cookies) == ("from-header", False)
    assert token_in("bearer  from-header ", {}) == ("from-header", False)
    assert token_in("Basic abc", cookies) == (None, False)
    assert token_in("Bearer", cookies) == (None, False)
    assert token_in(None, cookies) == ("from-cookie", True)
    assert token_in(None, {}) == (None, True)
