"""What each refusal of a use case looks like over HTTP: a status, a code, and a message that says what to do."""

from fastapi import FastAPI

from services.gateway.cursors import CursorError
from services.gateway.notifier import NotifierAwayError, NotifierBrokenError, TooManyStreamsError
from services.gateway.origins import ForeignOriginError
from services.gateway.signing import KeyNotLoadedError
from services.gateway.store.accounts import EmailTakenError
from services.gateway.webhook_access import NotAuthenticatedError
from services.gateway.workflow.lifecycle import NotFailedError, NotFoundError, NotReadyError, NotRunningError
from services.gateway.workflow.logins import (
    NoSessionError,
    RegistrationOffError,
    SessionOverError,
    TooManyTriesError,
    WrongLoginError,
)
from services.gateway.workflow.quota import QuotaReachedError
from services.gateway.workflow.requests import OtherBodyError
from shared.access.access_tokens import AccessTokenError
from shared.wiring.http import RETRY_AFTER_SECONDS, ApiError, answer_refusal, unavailable

QUOTA_RETRY_SECONDS = 60
_BEARER = {"WWW-Authenticate": "Bearer"}
_SOON = {"Retry-After": str(RETRY_AFTER_SECONDS)}


def add_refusals(app: FastAPI) -> None:
    """Answer each refusal below as it says, wherever it is raised."""
    answer_refusal(app, AccessTokenError, lambda _: _unauthenticated())
    answer_refusal(app, NoSessionError, lambda _: _no_session())
    answer_refusal(app, SessionOverError, lambda _: _session_over())
    answer_refusal(app, KeyNotLoadedError, lambda _: unavailable("The service is starting."))
    answer_refusal(app, ForeignOriginError, lambda _: _foreign_origin())
    answer_refusal(app, RegistrationOffError, lambda _: _registration_off())
    answer_refusal(app, EmailTakenError, lambda _: _email_taken())
    answer_refusal(app, WrongLoginError, lambda _: _wrong_login())
    answer_refusal(app, TooManyTriesError, _too_many_tries)
    answer_refusal(app, NotFoundError, lambda _: _not_found())
    answer_refusal(app, NotReadyError, _not_ready)
    answer_refusal(app, NotFailedError, lambda _: _not_failed())
    answer_refusal(app, NotRunningError, lambda _: _not_running())
    answer_refusal(app, QuotaReachedError, lambda _: _quota_reached())
    answer_refusal(app, OtherBodyError, lambda _: _key_reused())
    answer_refusal(app, CursorError, lambda _: _no_cursor())
    answer_refusal(app, NotAuthenticatedError, lambda _: _webhook_unauthenticated())
    answer_refusal(app, NotifierAwayError, lambda _: _notifier_away())
    answer_refusal(app, NotifierBrokenError, lambda _: _notifier_broken())
    answer_refusal(app, TooManyStreamsError, lambda _: _too_many_streams())


def _unauthenticated() -> ApiError:
    message = "Log in first: this needs a valid access token, as a bearer token or as the cookie of a log-in."
    return ApiError(401, "UNAUTHENTICATED", message, headers=_BEARER)


def _no_session() -> ApiError:
    message = (
        "There is no session to renew: the cookie of your log-in is not there, nor a valid access token. Log in again."
    )
    return ApiError(401, "UNAUTHENTICATED", message, headers=_BEARER)


def _session_over() -> ApiError:
    return ApiError(401, "SESSION_OVER", "This session has ended. Log in again.", headers=_BEARER)


def _foreign_origin() -> ApiError:
    message = "This page may not act for you here. Use Reelway's own page, or a bearer token."
    return ApiError(403, "FOREIGN_ORIGIN", message)


def _registration_off() -> ApiError:
    return ApiError(403, "REGISTRATION_DISABLED", "New accounts are made by the operator here. Ask them for one.")


def _email_taken() -> ApiError:
    message = "There is an account with this address already. Log in instead."
    return ApiError(409, "EMAIL_TAKEN", message, fields={"email": message})


def _wrong_login() -> ApiError:
    message = "Email and password don't match an account. Check both and try again."
    return ApiError(401, "WRONG_CREDENTIALS", message)


def _too_many_tries(error: TooManyTriesError) -> ApiError:
    seconds = error.retry_after_seconds
    message = f"That was tried too often. Try again in {seconds} seconds."
    return ApiError(429, "TOO_MANY_ATTEMPTS", message, headers={"Retry-After": str(seconds)})


def _not_found() -> ApiError:
    """Somebody else's video and nobody's look the same."""
    return ApiError(404, "VIDEO_NOT_FOUND", "You have no video with this id. Look it up in your gallery.")


def _not_ready(error: NotReadyError) -> ApiError:
    if error.failed:
        message = "This video failed, so there is no file. Its status says why; you can retry it."
    else:
        message = "This video is not ready yet. Ask for its status, and download it then."
    return ApiError(409, "NOT_READY", message)


def _not_failed() -> ApiError:
    return ApiError(409, "NOT_FAILED", "Only a failed video can be tried again. Look at its status first.")


def _not_running() -> ApiError:
    message = "This video has ended already: there is nothing to cancel. Delete it if you don't want it."
    return ApiError(409, "NOT_RUNNING", message)


def _quota_reached() -> ApiError:
    message = "As many of your videos are running as may at once. Try again when one of them has ended."
    return ApiError(429, "QUOTA_REACHED", message, headers={"Retry-After": str(QUOTA_RETRY_SECONDS)})


def _key_reused() -> ApiError:
    message = "This key was used for a different request. Use a new key for a new request."
    return ApiError(422, "IDEMPOTENCY_KEY_REUSED", message, fields={"Idempotency-Key": message})


def _no_cursor() -> ApiError:
    message = "This is no cursor of this list. Begin again without one."
    return ApiError(422, "INVALID_CURSOR", message, fields={"cursor": message})


def _webhook_unauthenticated() -> ApiError:
    message = "Sign the webhook, send X-Webhook-Secret, or use the callback URL that came with the job."
    return ApiError(401, "WEBHOOK_UNAUTHENTICATED", message)


def _notifier_away() -> ApiError:
    message = f"Notifications can't be reached now; videos go on. Try again in {RETRY_AFTER_SECONDS} seconds."
    return ApiError(503, "NOTIFIER_AWAY", message, headers=_SOON)


def _notifier_broken() -> ApiError:
    message = "Notifications gave an answer that can't be read; videos go on. Try again later."
    return ApiError(502, "NOTIFIER_BROKEN", message)


def _too_many_streams() -> ApiError:
    message = "You have too many live streams open. Close a tab, then try again."
    return ApiError(429, "TOO_MANY_STREAMS", message, headers=_SOON)
