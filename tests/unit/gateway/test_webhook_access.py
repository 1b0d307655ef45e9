"""Three ways to authenticate a webhook; any one is enough."""

import time
from datetime import timedelta

import pytest

from services.gateway.webhook_access import NotAuthenticatedError, WebhookAccess
from shared.access.callback_urls import CallbackGrant, callback_url
from shared.access.webhook_signatures import sign
from shared.contracts.wire import utc_now

OLD, NEW = "old secret", "whsec_bmV3IHNlY3JldA=="
GATE = WebhookAccess([NEW, OLD])
GRANT = CallbackGrant("ann_1", 2, "complete")


def token(secret: str = NEW, seconds: int = 60) -> str:
    url = callback_url("http://x", secret, GRANT, utc_now() + timedelta(seconds=seconds))
    return url.partition("token=")[2]


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_every_secret_in_force_counts(secret: str) -> None:
    assert GATE.authenticate("complete", None, {"x-webhook-secret": secret}, b"{}").by == "secret"
    headers = sign(secret, "id", int(time.time()), b"{}")
    assert GATE.authenticate("complete", None, headers, b"{}").by == "signature"
    assert GATE.authenticate("complete", token(secret), {}, b"{}").grant == GRANT


def test_a_callback_url_binds_whatever_else_is_sent() -> None:
    proof = GATE.authenticate("complete", token(), {"x-webhook-secret": OLD}, b"{}")
    assert (proof.by, proof.grant) == ("callback_url", GRANT)


def test_another_way_holds_where_the_callback_url_is_over() -> None:
    assert GATE.authenticate("complete", token(seconds=-1), {"x-webhook-secret": OLD}, b"{}").by == "secret"


@pytest.mark.parametrize(
    ("purpose", "given", "headers"),
    [
        ("complete", None, {}),
        ("complete", "", {}),
        ("complete", "a.b", {"x-webhook-secret": "wrong"}),
        ("complete", token(seconds=-1), {}),
        ("complete", token("stranger's"), {}),
        ("error", token(), {}),
        ("complete", None, sign(OLD, "id", int(time.time()) - 301, b"{}")),
        ("complete", None, sign(OLD, "id", int(time.time()), b"{ }")),
        ("complete", None, {"x-webhook-secret": "ü"}),
    ],
    ids=["nothing", "empty", "forged", "expired", "other-key", "other-purpose", "old", "other-body", "no-ascii"],
)
def test_strangers(purpose: str, given: str | None, headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthenticatedError):
        GATE.authenticate(purpose, given, headers, b"{}")  # type: ignore[arg-type]


def test_without_secrets_nobody_gets_in() -> None:
    headers = {"x-webhook-secret": "", **sign("", "id", int(time.time()), b"{}")}
    with pytest.raises(NotAuthenticatedError):
        WebhookAccess([]).authenticate("complete", "a.b", headers, b"{}")
