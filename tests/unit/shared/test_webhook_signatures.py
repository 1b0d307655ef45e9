import base64

import pytest

from shared.access.webhook_signatures import SignatureError, sign, signing_key, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1614265330.0


def test_the_signature_is_the_one_of_the_standards_own_example() -> None:
    headers = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    verify([SECRET], headers, b'{"test": 2432232314}', NOW)


def test_a_plain_secret_signs_with_its_own_bytes() -> None:
    assert signing_key("plain-secret") == b"plain-secret"
    assert signing_key("whsec_" + base64.b64encode(b"bytes").decode()) == b"bytes"
    with pytest.raises(ValueError, match="base64"):
        signing_key("whsec_not base64!")


def test_every_secret_in_force_is_accepted_so_that_secrets_can_rotate() -> None:
    headers = sign("old", "m1", int(NOW), b"x")
    verify(["new", "old"], headers, b"x", NOW)
    both = {**headers, "webhook-signature": "v2,abc " + sign("new", "m1", int(NOW), b"x")["webhook-signature"]}
    verify(["new"], both, b"x", NOW)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 300])
def test_five_minutes_of_difference_are_tolerated(seconds: int) -> None:
    verify(["s"], sign("s", "m1", int(NOW) + seconds, b"x"), b"x", NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-id": ""},
        {"webhook-id": "other"},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1614265330"},
        {"webhook-timestamp": "16142653300000000000000"},
        {"webhook-timestamp": "\u0661\u0662"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\u00e9"},
        {"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    ],
)
def test_altered_headers_are_refused(wrong: dict[str, str]) -> None:
    headers = sign("s", "m1", int(NOW), b"x")
    with pytest.raises(SignatureError):
        verify(["s"], {**headers, **wrong}, b"x", NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_future_timestamp_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureError, match="tolerance"):
        verify(["s"], sign("s", "m1", int(NOW) + seconds, b"x"), b"x", NOW)


def test_an_altered_body_a_foreign_secret_and_no_headers_are_refused() -> None:
    headers = sign("s", "m1", int(NOW), b"x")
    for secrets, given, body in (
        (["s"], headers, b"y"),
        (["t"], headers, b"x"),
        ([], headers, b"x"),
        (["s"], {}, b"x"),
    ):
        with pytest.raises(SignatureError):
            verify(secrets, given, body, NOW)
