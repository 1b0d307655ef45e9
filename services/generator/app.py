"""The composition root: settings → database → Kafka → use cases → routes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta

import structlog
from fastapi import FastAPI

from services.generator.attempt import Kind
from services.generator.awaiting import Awaiting
from services.generator.callbacks import Callbacks
from services.generator.calls import Engine
from services.generator.catalog import COLLECTION
from services.generator.catalog_file import read_catalog
from services.generator.catalog_store import CatalogStore
from services.generator.dispatch import Dispatcher, Pace
from services.generator.handlers import register
from services.generator.held import Held
from services.generator.n8n import N8n
from services.generator.runs import Runs, api_beside
from services.generator.settings import CALLBACK_GRACE, GeneratorSettings
from services.generator.settling import Settling
from services.generator.store import AWAIT, Attempts
from services.generator.workflow import Lifecycle, Requests, Rules
from shared.contracts.events import (
    AvatarChanged,
    CatalogItemRemoved,
    TopicChanged,
    VoiceChanged,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.delivery.leases import Lease
from shared.wiring.asyncapi import serve_asyncapi
from shared.wiring.http import Lifespan, make_app
from shared.wiring.runtime import Runtime

# A call under way at the stop signal is given this long to be answered; cut off, nobody would know whether it runs.
STOP_GRACE = timedelta(seconds=10)

PUBLISHED = (
    *(WorkflowStarted, WorkflowProgressed, WorkflowCompleted, WorkflowFailed),
    *(AvatarChanged, VoiceChanged, TopicChanged, CatalogItemRemoved),
)

log = structlog.get_logger(__name__)


def build(settings: GeneratorSettings) -> tuple[FastAPI, Runtime]:
    """Return the application and its runtime; nothing connects before the application starts."""
    runtime = Runtime("generator", settings, settings.generator_mongo_url)
    database = runtime.mongo.database
    runs = _runs(settings)
    look_every = settings.workflow_ask_every if runs else None
    attempts = Attempts(database["workflows"], runtime.outbox(database["workflows"]), look_every)
    catalog = CatalogStore(database[COLLECTION], runtime.outbox(database[COLLECTION]))
    lifecycle = Lifecycle(attempts, _rules(settings))

    async def look_again(lease: Lease) -> None:
        await callbacks.look_again(lease)

    looking = runtime.workers(database["held"], look_again, concurrency=1, lease=settings.job_lease)
    held = Held(database["held"], settings.held_for, looking.wake)
    callbacks = Callbacks(attempts, lifecycle, held, runtime.metrics, runtime.kafka.send)
    n8n = N8n(settings.workflow_connect_timeout, settings.workflow_answer_timeout)
    settling = Settling(attempts, lifecycle)
    dispatcher = Dispatcher(
        attempts, lifecycle, settling, catalog, held, _engine(settings), n8n, _pace(settings), runtime.metrics
    )
    awaiting = Awaiting(attempts, settling, runs, settings.workflow_lost_after)

    async def work(lease: Lease) -> None:
        await (awaiting if lease.kind == AWAIT else dispatcher).work(lease)

    working = runtime.workers(
        database["workflows"],
        work,
        concurrency=settings.dispatch_concurrency,
        lease=settings.job_lease,
        grace=STOP_GRACE,
    )
    register(runtime.inbox, Requests(attempts, lifecycle, working.wake), callbacks)
    runtime.watch_dependencies(kafka_required=True)

    async def prepare() -> None:
        for store in (attempts, held, catalog):
            await store.ensure_indexes()
        if not await catalog.was_imported():
            counts = await catalog.bring_in(read_catalog(settings.catalog_file), prune=False)
            log.info("catalog.imported", **counts)
        log.info("catalog.announced", items=await catalog.announce_all())

    app = make_app("Reelway generator", runtime.metrics, runtime.health, _lifespan(runtime, (n8n, runs), prepare))
    serve_asyncapi(app, runtime.consumers, "generator", PUBLISHED)
    return app, runtime


def _lifespan(
    runtime: Runtime, clients: Iterable[N8n | Runs | None], prepare: Callable[[], Awaitable[None]]
) -> Lifespan:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as opened:
            for client in clients:
                if client is not None:
                    await opened.enter_async_context(client)
            async with runtime.lifespan(prepare):
                yield

    return lifespan


def _rules(settings: GeneratorSettings) -> Rules:
    return Rules(settings.workflow_deadline, settings.workflow_estimate, settings.late_result)


def _pace(settings: GeneratorSettings) -> Pace:
    return Pace(settings.dispatch_retry_first, settings.dispatch_retry_most, CALLBACK_GRACE)


def _urls(settings: GeneratorSettings) -> dict[Kind, str]:
    return {"create": str(settings.video_creation_webhook_url), "generate": str(settings.generate_video_webhook_url)}


def _runs(settings: GeneratorSettings) -> Runs | None:
    key = settings.n8n_api_key.get_secret_value()
    apis: dict[Kind, str] = {kind: api_beside(url) for kind, url in _urls(settings).items()}
    return Runs(apis, key, settings.workflow_connect_timeout) if key else None


def _engine(settings: GeneratorSettings) -> Engine:
    value = settings.n8n_auth_value.get_secret_value()
    return Engine(
        urls=_urls(settings),
        public_url=str(settings.public_url),
        secret=settings.webhook_secrets[0],
        auth={settings.n8n_auth_header: value} if value else {},
    )
