"""`/api/webhook`: what workflow engines report. Authenticated by body, so the raw body is read first."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import from_json

from services.gateway.routes.answers import Receipt, answers, json_body
from services.gateway.routes.webhook_bodies import (
    Completion,
    GrantedProgress,
    GrantedWorkflowError,
    Progress,
    Report,
    WorkflowError,
    whole_characters,
)
from services.gateway.webhook_access import Authenticated, NotAuthenticatedError, WebhookAccess
from services.gateway.workflow.callbacks import Callbacks, Received, Webhook
from services.gateway.workflow.progress_reports import ProgressReports
from shared.access.callback_urls import PATHS, CallbackGrant, Purpose
from shared.wiring.http import ApiError, answer
from shared.wiring.metrics import Metrics

Shape = TypeVar("Shape", bound=Report)


def router(callbacks: Callbacks, progress: ProgressReports, gate: WebhookAccess, metrics: Metrics) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["webhooks"])

    @routes.post(
        PATHS["complete"], status_code=202, responses=answers(202, Receipt), openapi_extra=json_body(Completion)
    )
    async def video_complete(request: Request) -> Response:
        raw, proof = await _authenticated(request, "complete")
        body = _checked(raw, proof.grant, Completion)
        return await _stored(callbacks.completed, _webhook(request, "complete", raw, proof, body))

    @routes.post(
        PATHS["error"], status_code=202, responses=answers(202, Receipt), openapi_extra=json_body(WorkflowError)
    )
    async def workflow_error(request: Request) -> Response:
        raw, proof = await _authenticated(request, "error")
        body = _checked(raw, proof.grant, GrantedWorkflowError if proof.grant else WorkflowError)
        return await _stored(callbacks.failed, _webhook(request, "error", raw, proof, body))

    @routes.post(PATHS["progress"], status_code=202, responses=answers(202, Receipt), openapi_extra=json_body(Progress))
    async def workflow_progress(request: Request) -> Response:
        raw, proof = await _authenticated(request, "progress")
        body = _checked(raw, proof.grant, GrantedProgress if proof.grant else Progress)
        return await _stored(progress.progressed, _webhook(request, "progress", raw, proof, body))

    async def _authenticated(request: Request, purpose: Purpose) -> tuple[bytes, Authenticated]:
        raw = await request.body()
        try:
            return raw, gate.authenticate(purpose, request.query_params.get("token"), request.headers, raw)
        except NotAuthenticatedError:
            metrics.webhooks.labels(purpose=purpose, outcome="refused").inc()
            raise

    return routes


async def _stored(take: Callable[[Webhook], Awaitable[Received]], webhook: Webhook) -> Response:
    if webhook.video_id is not None:
        structlog.contextvars.bind_contextvars(video_id=webhook.video_id, attempt=webhook.attempt)
    received = await take(webhook)
    return answer({"receiptId": received.receipt_id, "matched": received.matched}, "Webhook received", status=202)


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        return from_json(whole_characters(raw), allow_inf_nan=False)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = _parsed(raw)
    except ValueError as error:
        message = "The body is not valid JSON. Correct it and send it again."
        raise ApiError(422, "INVALID_JSON", message) from error
    if not isinstance(body, dict):
        raise RequestValidationError([{"type": "dict_type", "loc": ("body",), "msg": "The body must be a JSON object"}])
    return body


def _checked(raw: bytes, grant: CallbackGrant | None, shape: type[Shape]) -> Shape:
    """Return the body in its shape, bound to what the callback URL grants. Answers 403 or 422."""
    body = _object(raw)
    if grant is not None:
        body = _bound(body, grant)
    try:
        report = shape.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error
    wrong = [{"type": "value_error", "loc": (name,), "msg": why} for name, why in report.wrong_fields().items()]
    if wrong:
        raise RequestValidationError(wrong)
    return report


def _bound(body: dict[str, Any], grant: CallbackGrant) -> dict[str, Any]:
    said = {name: body[name] for name in ("videoId", "attempt") if body.get(name) is not None}
    granted = {"videoId": grant.video_id, "attempt": grant.attempt}
    foreign = [name for name, value in said.items() if str(value) != str(granted[name])]
    if foreign:
        message = "This callback URL is for another video or attempt. Use the one that came with the job."
        raise ApiError(403, "FOREIGN_CALLBACK", message, fields=dict.fromkeys(foreign, message))
    return {**body, **granted}


def _webhook(request: Request, purpose: Purpose, raw: bytes, proof: Authenticated, body: Report) -> Webhook:
    # Half an address is none: without the attempt the execution has to say which one is meant.
    partly = purpose == "error" and (body.video_id is None or body.attempt is None)
    return Webhook(
        purpose=purpose,
        body=raw,
        authenticated_by=proof.by,
        key=request.headers.get("webhook-id") or request.headers.get("idempotency-key"),
        video_id=None if partly else body.video_id,
        attempt=None if partly else body.attempt,
        execution_id=body.execution_id,
        fields=body.news(),
    )
