import time

import pytest

from deploy.local.workflow.signatures import is_signed, signature_headers

# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'


def test_the_example_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1614265330.0)
    assert is_signed(SECRET, SIGNED, BODY)
    assert is_signed(SECRET, {**SIGNED, "webhook-signature": f"v1,AAAA {SIGNED['webhook-signature']}"}, BODY)
    assert signature_headers(SECRET, SIGNED["webhook-id"], BODY) == SIGNED


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (SIGNED, BODY + b" "),
        ({**SIGNED, "webhook-id": "other"}, BODY),
        ({**SIGNED, "webhook-timestamp": "1614264000"}, BODY),
        ({**SIGNED, "webhook-timestamp": "soon"}, BODY),
        ({}, BODY),
    ],
)
def test_what_was_not_signed_now_is_not_signed(
    headers: dict[str, str], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1614265330.0)
    assert not is_signed(SECRET, headers, body)


def test_a_secret_without_prefix_is_its_own_key() -> None:
    assert is_signed("plain", signature_headers("plain", "id", b"x"), b"x")
    assert not is_signed("plain", signature_headers("other", "id", b"x"), b"x")
