"""The signing key: Ed25519 and nothing else, and tokens that end."""

from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.gateway.signing import KeyNotLoadedError, Signer, new_key_pem
from shared.access.access_tokens import AccessTokenError, verify


def signer() -> Signer:
    made = Signer()
    made.use(new_key_pem())
    return made


def test_a_token_says_who_and_the_key_set_proves_it() -> None:
    mine = signer()
    token = mine.token("ann", "s1", timedelta(minutes=1))
    assert mine.read(token).user_id == "ann"
    assert mine.read(token) is mine.read(token)
    (key,) = mine.jwks()["keys"]
    assert verify(token, {key["kid"]: jwt.PyJWK(key).key}).session_id == "s1"


def test_a_token_ends() -> None:
    mine = signer()
    token = mine.token("ann", "s1", timedelta(minutes=-1))
    with pytest.raises(AccessTokenError):
        mine.read(token)


def test_another_key_does_not_count() -> None:
    with pytest.raises(AccessTokenError):
        signer().read(signer().token("ann", "s1", timedelta(minutes=1)))


def test_one_line_of_pem_will_do() -> None:
    one_line = Signer()
    one_line.use(new_key_pem().replace("\n", "\\n"))
    assert one_line.jwks()["keys"]


@pytest.mark.parametrize("pem", ["", "nonsense"])
def test_what_is_no_key(pem: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own words
        Signer().use(pem)


def test_another_kind_of_key() -> None:
    rsa = generate_private_key(public_exponent=65537, key_size=2048)
    pem = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="Ed25519"):
        Signer().use(pem)


def test_without_a_key_nothing_is_said() -> None:
    for call in (Signer().jwks, lambda: Signer().token("a", "s", timedelta(1)), lambda: Signer().read("a.b.c")):
        with pytest.raises(KeyNotLoadedError):
            call()
