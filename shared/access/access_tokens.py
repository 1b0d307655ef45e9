"""Access tokens: JWTs signed by the gateway (EdDSA), verified by anyone who has its public keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

ALGORITHM = "EdDSA"
ISSUER = "reelway"
COOKIE = "reelway_access"
LEEWAY = timedelta(seconds=10)


class AccessTokenError(Exception):
    """The token is missing, forged, over, or signed with a key nobody published."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the user, the log-in session, and when this token ends."""

    user_id: str
    session_id: str
    expires_at: datetime
    role: str = "user"


def issue(identity: Identity, key: Any, key_id: str, now: datetime) -> str:
    """Return a signed token for `identity`; `key` is an Ed25519 private key."""
    claims = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": identity.user_id,
        "sid": identity.session_id,
        "role": identity.role,
        "iat": now,
        "exp": identity.expires_at,
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})


def key_id_of(token: str) -> str:
    """Return the id of the key that `token` says it is signed with. Raises AccessTokenError."""
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except jwt.PyJWTError as error:
        raise AccessTokenError("unreadable token") from error


def verify(token: str, keys: Mapping[str, Any]) -> Identity:
    """Return who `token` speaks for; `keys` maps key ids to Ed25519 public keys. Raises AccessTokenError."""
    key = keys.get(key_id_of(token))
    if key is None:
        raise AccessTokenError("unknown key")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=ISSUER,
            issuer=ISSUER,
            leeway=LEEWAY,
            # When it was issued decides nothing: a service whose clock is behind must not refuse everybody.
            options={"require": ["exp", "sub", "sid"], "verify_iat": False},
        )
    except jwt.PyJWTError as error:
        raise AccessTokenError(type(error).__name__) from error
    expires = datetime.fromtimestamp(claims["exp"], UTC)
    return Identity(str(claims["sub"]), str(claims["sid"]), expires, str(claims.get("role", "user")))


def token_in(authorization: str | None, cookies: Mapping[str, str]) -> tuple[str | None, bool]:
    """Return the request's token and whether it came by cookie (then writes need an Origin check)."""
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return (token.strip() or None, False) if scheme.lower() == "bearer" else (None, False)
    return cookies.get(COOKIE), True
