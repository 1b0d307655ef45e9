"""`/api/auth`: accounts and log-ins; `/.well-known/jwks.json`: the keys others verify access tokens with."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from services.gateway.routes.access import Access, address_of
from services.gateway.routes.answers import Nothing, Token, Who, answers
from services.gateway.routes.bodies import Login, Register
from services.gateway.signing import Signer
from services.gateway.store.accounts import Account
from services.gateway.workflow.logins import Grant, Logins, NoSessionError
from shared.access.access_tokens import COOKIE, AccessTokenError, Identity
from shared.wiring.http import answer

REFRESH_COOKIE = "reelway_refresh"
REFRESH_PATH = "/api/auth"
BYE_TO_BEARER = "Logged out: the session has ended. The access token itself works until it expires; forget it."
"""Services believe a token by its signature alone, so nothing takes one back."""


def router(logins: Logins, access: Access, signer: Signer, *, secure: bool) -> APIRouter:
    """Return the routes; `secure` says whether cookies are for https only."""
    routes = APIRouter(tags=["auth"])
    cookies = _Cookies(logins, secure=secure)

    @routes.post("/api/auth/register", status_code=201, responses=answers(201, Who))
    async def register(body: Register, request: Request) -> Response:
        access.check_origin(request)
        account = await logins.register(body.email, body.password, body.name.strip(), address_of(request))
        return answer(_who(account), "Account created", status=201)

    @routes.post("/api/auth/login", responses=answers(200, Token))
    async def login(body: Login, request: Request) -> Response:
        access.check_origin(request)
        return cookies.granted(await logins.log_in(body.email, body.password, address_of(request)), "Logged in")

    @routes.post("/api/auth/refresh", responses=answers(200, Token))
    async def refresh(request: Request) -> Response:
        kept = _refresh_token(request)
        if kept is not None:
            access.check_origin(request)
            return cookies.granted(await logins.refresh(kept), "Session renewed")
        return cookies.granted(await logins.renew(await _renewing(access, request)), "Session renewed")

    @routes.post("/api/auth/logout", responses=answers(200, Nothing))
    async def logout(request: Request) -> Response:
        kept = _refresh_token(request)
        if kept is not None:
            access.check_origin(request)
        if kept is None or not await logins.log_out_with(kept):
            await logins.log_out(await access.identity(request))
        return cookies.cleared(answer({}, BYE_TO_BEARER if "authorization" in request.headers else "Logged out"))

    @routes.get("/api/auth/me", responses=answers(200, Who))
    async def me(asking: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer(_who(await logins.whois(asking.user_id)))

    @routes.get("/.well-known/jwks.json")
    async def jwks() -> Response:
        # In the shape of RFC 7517, not in the envelope.
        return JSONResponse(signer.jwks(), headers={"Cache-Control": "public, max-age=300"})

    return routes


def _refresh_token(request: Request) -> str | None:
    """Return the refresh cookie; who sends a bearer token means that."""
    return None if "authorization" in request.headers else request.cookies.get(REFRESH_COOKIE)


async def _renewing(access: Access, request: Request) -> Identity:
    try:
        return await access.identity(request)
    except AccessTokenError as error:
        raise NoSessionError from error


class _Cookies:
    def __init__(self, logins: Logins, *, secure: bool) -> None:
        self._limits = logins.limits
        self._secure = secure

    def granted(self, grant: Grant, message: str) -> Response:
        life = int(self._limits.access_token_life.total_seconds())
        data = {"accessToken": grant.access_token, "tokenType": "Bearer", "expiresIn": life}
        response = answer(data, message)
        self._set(response, COOKIE, grant.access_token, life, "/")
        if grant.refresh_token is not None:
            life = int(self._limits.session_life.total_seconds())
            self._set(response, REFRESH_COOKIE, grant.refresh_token, life, REFRESH_PATH)
        return response

    def cleared(self, response: Response) -> Response:
        self._set(response, COOKIE, "", 0, "/")
        self._set(response, REFRESH_COOKIE, "", 0, REFRESH_PATH)
        return response

    def _set(self, response: Response, name: str, value: str, life_seconds: int, path: str) -> None:
        response.set_cookie(
            name, value, max_age=life_seconds, path=path, secure=self._secure, httponly=True, samesite="lax"
        )


def _who(account: Account) -> dict[str, str]:
    return {"userId": account.user_id, "email": account.email, "name": account.name}
