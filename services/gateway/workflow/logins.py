"""Accounts and log-ins: who may come in, for how long, and how often it may be tried."""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta

from services.gateway.passwords import Passwords
from services.gateway.signing import Signer
from services.gateway.store.accounts import Account, Accounts, EmailTakenError, Session, Sessions, email_key
from services.gateway.store.throttle import Throttle
from shared.access.access_tokens import Identity
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics

ROTATION_GRACE = timedelta(seconds=30)
"""Two tabs may refresh with the same secret at once; later than this the old one was stolen."""


class WrongLoginError(Exception):
    """No account with this address has this password."""


class TooManyTriesError(Exception):
    """It was tried too often; `retry_after_seconds` says when it may be tried again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("too many tries")
        self.retry_after_seconds = retry_after_seconds


class RegistrationOffError(Exception):
    """People can't make accounts themselves here."""


class NoSessionError(Exception):
    """Nobody knows whose log-in is to be renewed: neither its cookie nor a valid access token came."""


class SessionOverError(Exception):
    """The log-in has ended: log in again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long log-ins last, and how many tries there are in one window of the throttle."""

    access_token_life: timedelta
    session_life: timedelta
    per_account: int
    per_address: int
    registrations_per_address: int
    registration_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """What a log-in gives: an access token, and a refresh token where the session's secret is new."""

    access_token: str
    refresh_token: str | None = None


class Logins:
    """Every use case around accounts. `address` is where the request came from."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        throttle: Throttle,
        passwords: Passwords,
        signer: Signer,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._throttle = throttle
        self._passwords = passwords
        self._signer = signer
        self._metrics = metrics
        self.limits = limits

    async def register(self, email: str, password: str, name: str, address: str) -> Account:
        """Make an account. Raises RegistrationOffError, EmailTakenError, TooManyTriesError."""
        if not self.limits.registration_enabled:
            raise RegistrationOffError
        await self._let_through("register", _network(address), self.limits.registrations_per_address)
        if await self._accounts.with_email(email) is not None:
            raise EmailTakenError
        account = Account(secrets.token_hex(12), email, name, await self._passwords.hash(password))
        await self._accounts.add(account)
        return account

    async def keep_demo_account(self, email: str, password: str) -> None:
        """Make the demo account, or give it this password if it has another."""
        account = await self._accounts.with_email(email)
        if account is None:
            made = Account(secrets.token_hex(12), email, "Demo", await self._passwords.hash(password))
            try:
                await self._accounts.add(made)
            except EmailTakenError:
                return  # another replica was faster
        elif not await self._passwords.matches(account.password_hash, password):
            await self._accounts.set_password(account.user_id, await self._passwords.hash(password))

    async def log_in(self, email: str, password: str, address: str) -> Grant:
        """Begin a session. Raises WrongLoginError, TooManyTriesError."""
        whom, network = email_key(email), _network(address)
        # Counted before the password is looked at, so that tries arriving together count too.
        await self._let_through("login-address", network, self.limits.per_address)
        await self._let_through("login-account", whom, self.limits.per_account)
        account = await self._accounts.with_email(email)
        right = await self._passwords.matches(account.password_hash if account else None, password)
        self._metrics.logins.labels(outcome="ok" if right else "refused").inc()
        if account is None or not right:
            raise WrongLoginError
        await self._throttle.forget("login-account", whom)
        await self._throttle.take_back("login-address", network)
        if self._passwords.outdated(account.password_hash):
            await self._accounts.set_password(account.user_id, await self._passwords.hash(password))
        return await self._begin(account.user_id)

    async def refresh(self, refresh_token: str) -> Grant:
        """Trade a refresh token for a new one and an access token. Raises SessionOverError."""
        session_id, _, secret = refresh_token.partition(".")
        session = await self._sessions.alive(session_id)
        if session is None:
            raise SessionOverError
        given = _hash(secret)
        if hmac.compare_digest(given, session.secret_hash):
            return await self._rotate(session)
        if not hmac.compare_digest(given, session.previous_hash or ""):
            raise SessionOverError
        if utc_now() - session.rotated_at > ROTATION_GRACE:
            await self._sessions.end(session_id)
            raise SessionOverError
        return Grant(self._access_token(session))

    async def renew(self, identity: Identity) -> Grant:
        """Give whoever holds a valid access token another one while the session lasts. Raises SessionOverError."""
        session = await self._sessions.alive(identity.session_id)
        if session is None or session.user_id != identity.user_id:
            raise SessionOverError
        return Grant(self._access_token(session))

    async def log_out(self, identity: Identity) -> None:
        """End the session of an access token."""
        await self._sessions.end(identity.session_id)

    async def log_out_with(self, refresh_token: str) -> bool:
        """End the session of a refresh token; False where it is none of a living session."""
        session_id, _, secret = refresh_token.partition(".")
        session = await self._sessions.alive(session_id)
        if session is None or not hmac.compare_digest(_hash(secret), session.secret_hash):
            return False
        await self._sessions.end(session_id)
        return True

    async def whois(self, user_id: str) -> Account:
        """Return the account. Raises SessionOverError where it is gone."""
        account = await self._accounts.find(user_id)
        if account is None:
            raise SessionOverError
        return account

    async def _begin(self, user_id: str) -> Grant:
        now, secret = utc_now(), secrets.token_urlsafe(32)
        session = Session(secrets.token_hex(16), user_id, _hash(secret), None, now, now + self.limits.session_life)
        await self._sessions.add(session)
        return Grant(self._access_token(session), f"{session.session_id}.{secret}")

    async def _rotate(self, session: Session) -> Grant:
        secret = secrets.token_urlsafe(32)
        if await self._sessions.rotate(session, _hash(secret), utc_now() + self.limits.session_life):
            return Grant(self._access_token(session), f"{session.session_id}.{secret}")
        return Grant(self._access_token(session))  # another tab rotated it a moment ago

    def _access_token(self, session: Session) -> str:
        return self._signer.token(session.user_id, session.session_id, self.limits.access_token_life)

    async def _let_through(self, what: str, whom: str, most: int) -> None:
        if not await self._throttle.let_through(what, whom, most):
            self._metrics.logins.labels(outcome="throttled").inc()
            raise TooManyTriesError(self._throttle.seconds_left())


def _hash(secret: str) -> str:
    # The secret is 256 random bits, so a plain hash of it can't be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()


def _network(address: str) -> str:
    """Return whom an address stands for: of IPv6 the /64, which one household has to itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)
