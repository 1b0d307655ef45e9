"""The composition root: the only place that builds things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from services.gateway import handlers
from services.gateway.census import Census
from services.gateway.forecast import Forecast
from services.gateway.headers import SafeHeaders
from services.gateway.notifier import Notifier
from services.gateway.objects import SignedUrls
from services.gateway.origins import Origins
from services.gateway.passwords import Passwords
from services.gateway.routes import (
    auth,
    callbacks_admin,
    catalog,
    notifications,
    requests,
    studio,
    timeline,
    videos,
    webhooks,
)
from services.gateway.routes.access import Access
from services.gateway.routes.callbacks_admin import add_callback_refusals
from services.gateway.routes.openapi import serve_openapi
from services.gateway.routes.refusals import add_refusals
from services.gateway.settings import GatewaySettings
from services.gateway.signing import Signer
from services.gateway.store import Store
from services.gateway.straight import StraightSender
from services.gateway.timeline.chronicle import Chronicle
from services.gateway.view import View
from services.gateway.webhook_access import WebhookAccess
from services.gateway.workflow.callbacks import Callbacks
from services.gateway.workflow.lifecycle import Lifecycle
from services.gateway.workflow.logins import Limits, Logins
from services.gateway.workflow.progress_reports import ProgressReports
from services.gateway.workflow.quarantine import Quarantine
from services.gateway.workflow.quota import Quota
from services.gateway.workflow.reannouncing import Reannouncing, hears, unanswered_receipt, unanswered_video
from services.gateway.workflow.requests import Requests
from services.gateway.workflow.start import Start
from services.gateway.workflow.unheard import Unheard, asking_for
from shared.contracts import events
from shared.wiring.admin import serve_admin
from shared.wiring.asyncapi import serve_asyncapi
from shared.wiring.http import Lifespan, make_app
from shared.wiring.http_client import HttpClient
from shared.wiring.runtime import Runtime

PUBLISHED = (
    events.VideoRequested,
    events.VideoImportRequested,
    events.VideoRetryRequested,
    events.VideoCancelled,
    events.VideoUnanswered,
    events.VideoDeleted,
    events.CompletionReported,
    events.WorkflowErrorReported,
    events.ProgressReported,
)

REANNOUNCE_POLL = timedelta(seconds=5)
REANNOUNCE_LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The built service: its application, and what to call when it is asked to stop."""

    app: FastAPI
    runtime: Runtime
    notifier: Notifier

    def say_stopping(self) -> None:
        """Go unready and end the live streams, which would hold up the stop."""
        self.runtime.say_stopping()
        self.notifier.close_streams()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What more than one step of the building needs."""

    settings: GatewaySettings
    runtime: Runtime
    store: Store
    signer: Signer
    logins: Logins
    forecast: Forecast
    callbacks: Callbacks
    notifier: Notifier
    storage: HttpClient


def build(settings: GatewaySettings) -> Gateway:
    """Return the gateway; nothing connects before its application is started."""
    parts = _parts(settings)
    runtime = parts.runtime
    _listen(parts)
    _reannounce(parts)
    _watch(parts)
    app = make_app("Reelway gateway", runtime.metrics, runtime.health, _lifespan(parts))
    for router in _routers(parts):
        app.include_router(router)
    add_refusals(app)
    serve_openapi(app)
    studio.mount(app)
    serve_asyncapi(app, runtime.consumers, "gateway", PUBLISHED)
    _add_middleware(app, settings)
    quarantine = Quarantine(parts.store.receipts, parts.store.videos, parts.store.history)
    add_callback_refusals(serve_admin(app, settings, runtime, callbacks_admin.router(quarantine)))
    return Gateway(app, runtime, parts.notifier)


def _parts(settings: GatewaySettings) -> _Parts:
    runtime = Runtime("gateway", settings, settings.gateway_mongo_url)
    metrics, store, signer = runtime.metrics, Store(runtime, settings), Signer()
    return _Parts(
        settings=settings,
        runtime=runtime,
        store=store,
        signer=signer,
        logins=Logins(store.accounts, store.sessions, store.throttle, Passwords(), signer, metrics, _limits(settings)),
        forecast=Forecast(store.videos.durations, settings.expected_duration),
        callbacks=Callbacks(store.receipts, store.videos, store.history, metrics),
        notifier=Notifier(settings.notifier_url, settings.streams_per_user, metrics),
        storage=HttpClient(timeout=2),
    )


def _listen(parts: _Parts) -> None:
    settings, runtime, store = parts.settings, parts.runtime, parts.store
    view = View(store.videos, store.history, runtime.metrics)
    chronicle = Chronicle(store.timeline, store.videos, store.receipts, settings.timeline_entries)
    handlers.register(runtime.inbox, view, parts.callbacks, store, chronicle)
    runtime.also_run(view.progress.run)
    runtime.also_run(Census(store.tally, store.unjudged, runtime.metrics).run)


def _reannounce(parts: _Parts) -> None:
    settings, runtime, store = parts.settings, parts.runtime, parts.store
    first, most = settings.reannounce_after, settings.reannounce_most
    videos = Reannouncing(
        store.video_outbox, unanswered_video, runtime.metrics, first=first, most=most, noting=asking_for
    )
    receipts = Reannouncing(store.receipt_outbox, unanswered_receipt, runtime.metrics, first=first, most=most)
    unheard = Unheard(store.videos, store.history, runtime.metrics, videos.work, settings.answer_deadline)
    for documents, work in ((store.video_documents, unheard.work), (store.receipt_documents, receipts.work)):
        pace = {"poll_every": min(REANNOUNCE_POLL, first / 2), "may_begin": hears(runtime.backlog.behind)}
        runtime.workers(documents, work, concurrency=4, lease=REANNOUNCE_LEASE, **pace)


def _watch(parts: _Parts) -> None:
    """The gateway's duty is to accept: only its database decides whether it is ready."""

    async def storage_answers() -> None:
        await parts.storage.get(parts.settings.s3_endpoint)

    parts.runtime.watch_dependencies(kafka_required=False)
    parts.runtime.health.watch("storage", storage_answers, required=False)
    parts.runtime.health.watch("notifier", parts.notifier.probe, required=False)


def _lifespan(parts: _Parts) -> Lifespan:
    start = Start(parts.settings, parts.store, parts.signer, parts.logins)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts.runtime.lifespan(start.prepare):
            yield
        await parts.notifier.close()
        await parts.storage.aclose()

    return lifespan


def _routers(parts: _Parts) -> tuple[APIRouter, ...]:
    settings, store, metrics = parts.settings, parts.store, parts.runtime.metrics
    access = Access(parts.signer, Origins(settings.public_url, settings.cors_origins))
    urls = _signed_urls(settings)
    quota = Quota(store.videos, settings.video_quota)
    accepting = Requests(store.videos, quota, metrics, parts.forecast)
    lifecycle = Lifecycle(store.videos, store.receipts, quota, metrics, parts.forecast)
    progress = ProgressReports(store.receipts, store.videos, StraightSender(parts.runtime.kafka.send), metrics)
    gate = WebhookAccess(settings.webhook_secrets)
    return (
        auth.router(parts.logins, access, parts.signer, secure=settings.public_url.startswith("https://")),
        requests.router(accepting, access),
        videos.lists_router(store.videos, store.history, store.tally, urls, access),
        videos.router(lifecycle, urls, access),
        timeline.router(lifecycle, store.timeline, access),
        catalog.router(store.catalog, access),
        notifications.router(parts.notifier, access),
        webhooks.router(parts.callbacks, progress, gate, metrics),
    )


def _add_middleware(app: FastAPI, settings: GatewaySettings) -> None:
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(SafeHeaders)


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        access_token_life=settings.access_token_life,
        session_life=settings.session_life,
        per_account=settings.logins_per_account,
        per_address=settings.logins_per_address,
        registrations_per_address=settings.registrations_per_address,
        registration_enabled=settings.registration_enabled,
    )


def _signed_urls(settings: GatewaySettings) -> SignedUrls:
    return SignedUrls(
        endpoint=settings.s3_public_endpoint or settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        life=settings.download_url_life,
    )
