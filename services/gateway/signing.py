"""The key that signs access tokens, and the public half of it that everyone may have."""

import base64
import hashlib
import json
from collections import OrderedDict
from datetime import timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from shared.access.access_tokens import ALGORITHM, Identity, issue, verify
from shared.contracts.wire import utc_now

REMEMBERED_TOKENS = 10_000


class KeyNotLoadedError(Exception):
    """The database has not given us the signing key yet."""


def key_of(pem: str) -> Ed25519PrivateKey:
    r"""Return the key in `pem`, whose line ends may be written as \n. Raises ValueError where there is none."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # what they say is of no use to whoever pasted it wrongly
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("it must be an Ed25519 private key in PEM, without a password")
    return key


def new_key_pem() -> str:
    """Return a fresh Ed25519 private key in PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Signer:
    """Issues and reads access tokens with one key, once that is known."""

    def __init__(self) -> None:
        self._key: Ed25519PrivateKey | None = None
        self._key_id = ""
        self._x = ""
        self._read: OrderedDict[str, Identity] = OrderedDict()

    def use(self, pem: str) -> None:
        """Sign with this private key from now on. Raises ValueError where it is no Ed25519 key in PEM."""
        self._key = key = key_of(pem)
        self._x = _b64(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        # RFC 7638: the thumbprint is taken over the required members in this order.
        named = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self._x}, separators=(",", ":"))
        self._key_id = _b64(hashlib.sha256(named.encode()).digest())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JSON Web Key Set. Raises KeyNotLoadedError."""
        self._loaded()
        key = {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self._key_id, "use": "sig", "alg": ALGORITHM}
        return {"keys": [key]}

    def token(self, user_id: str, session_id: str, life: timedelta) -> str:
        """Return a signed access token. Raises KeyNotLoadedError."""
        now = utc_now()
        return issue(Identity(user_id, session_id, now + life), self._loaded(), self._key_id, now)

    def read(self, token: str) -> Identity:
        """Return who `token` speaks for. Raises AccessTokenError, KeyNotLoadedError."""
        known = self._read.get(token)
        if known is not None and known.expires_at > utc_now():
            return known
        identity = verify(token, {self._key_id: self._loaded().public_key()})
        self._read[token] = identity
        if len(self._read) > REMEMBERED_TOKENS:
            self._read.popitem(last=False)
        return identity

    def _loaded(self) -> Ed25519PrivateKey:
        if self._key is None:
            raise KeyNotLoadedError
        return self._key


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
