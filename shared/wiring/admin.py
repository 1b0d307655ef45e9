"""/admin on a service's own port: an application beside the service's, behind the admin's secret and nothing else.

Beside, so that what the service does for browsers (cookies, CORS) can't reach it, and so that nobody can forget to
guard a route: whatever its path, a request under /admin is answered here, and only with the secret.
"""

from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.access.admin import AdminSecret
from shared.delivery.letterbox import LettersAwayError
from shared.wiring.asgi import Observed
from shared.wiring.dead_letter_routes import dead_letter_routes
from shared.wiring.http import ApiError, answer_refusal, bare_app, failure
from shared.wiring.runtime import Runtime
from shared.wiring.settings import CommonSettings

PATH = "/admin"

_OFF = ApiError(
    404,
    "ADMIN_OFF",
    "There is no admin access here. Set ADMIN_TOKEN (16 characters or more) and start again.",
)
_NOT_ADMITTED = ApiError(
    401,
    "ADMIN_TOKEN_REQUIRED",
    "Send the service's ADMIN_TOKEN as Authorization: Bearer ….",
    headers={"WWW-Authenticate": "Bearer"},
)


def serve_admin(app: FastAPI, settings: CommonSettings, runtime: Runtime, *routers: APIRouter) -> FastAPI:
    """Serve the dead letters, and routers whose paths are under PATH, to whoever brings ADMIN_TOKEN.

    Return their application. To be called after all other middleware has been added to `app`.
    """
    admin = bare_app(f"{app.title} admin")
    admin.add_middleware(_AdminOnly, secret=AdminSecret(settings.admin_token))
    admin.add_middleware(Observed, metrics=runtime.metrics)
    for router in (dead_letter_routes(runtime.letter_box), *routers):
        admin.include_router(router)
    answer_refusal(admin, LettersAwayError, lambda error: ApiError(503, "UNAVAILABLE", f"{error} Try again."))
    app.add_middleware(_Door, admin=admin)
    return admin


class _Door:
    """Hands what is under PATH to the admin's application, and everything else to the service's."""

    def __init__(self, app: ASGIApp, admin: ASGIApp) -> None:
        self._app = app
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_admin = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PATH}/")
        await (self._admin if is_admin else self._app)(scope, receive, send)


class _AdminOnly:
    """Refuses, before it reads a body, whoever does not bring the secret."""

    def __init__(self, app: ASGIApp, secret: AdminSecret) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._secret.admits(Headers(scope=scope).get("authorization")):
            await self._app(scope, receive, send)
            return
        await failure(_NOT_ADMITTED if self._secret.is_set else _OFF)(scope, receive, send)
