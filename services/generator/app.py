"""The composition root: settings → database → Kafka → use cases → routes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta

import structlog
from fastapi import FastAPI

from services.generator.asking import Asking
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
from services.generator.patience import Patience
from services.generator.places import room_for_calls
from services.generator.runs import Runs, api_beside
from services.generator.search import Search
from services.generator.settings import CALLBACK_GRACE, GeneratorSettings
from services.generator.settling import Settling
from services.generator.stopping import Stopping
from services.generator.store import AWAIT, DISPATCH, STOP, Attempts
from services.generator.stuck import Stuck
from services.generator.workflow import Lifecycle, Requests, Rules
from shared.contracts.events import (
    AvatarChanged,
    CallbackJudged,
    CatalogItemRemoved,
    ResultDiscarded,
    TopicChanged,
    VoiceChanged,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowNoted,
    WorkflowProgressed,
    WorkflowRemoved,
    WorkflowStarted,
)
from shared.delivery.leases import Lease
from shared.delivery.workers import Work
from shared.wiring.admin import serve_admin
from shared.wiring.asyncapi import serve_asyncapi
from shared.wiring.http import Lifespan, make_app
from shared.wiring.runtime import Runtime

# A call under way at the stop signal is given this long to be answered; cut off, nobody would know whether it runs.
STOP_GRACE = timedelta(seconds=10)

# For one answer of n8n's API: with an execution's data it may be slow, and nobody waits for it.
ASK_TIMEOUT = timedelta(seconds=10)

PUBLISHED = (
    *(CallbackJudged, WorkflowStarted, WorkflowProgressed, WorkflowCompleted, WorkflowFailed, ResultDiscarded),
    *(WorkflowNoted, WorkflowRemoved),
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
    search = Search(runs, attempts.known_to_run_as) if runs else None
    asking = Asking(runs, search, attempts.last_delivered, runtime.metrics) if runs and search else None
    awaiting = Awaiting(attempts, settling, held, asking, _patience(settings), runtime.metrics, runtime.kafka.send)
    jobs: dict[str, Work] = {DISPATCH: dispatcher.work, AWAIT: awaiting.work}
    if runs and search:
        jobs[STOP] = Stopping(attempts, runs, search, settings.workflow_stop_within, runtime.metrics).work

    async def work(lease: Lease) -> None:
        await jobs[lease.kind](lease)

    working = runtime.workers(
        database["workflows"],
        work,
        concurrency=settings.dispatch_concurrency,
        lease=settings.job_lease,
        grace=STOP_GRACE,
        room=room_for_calls(settings.dispatch_concurrency),
    )
    requests = Requests(attempts, lifecycle, working.wake, runtime.kafka.send)
    register(runtime.inbox, requests, callbacks)
    runtime.watch_dependencies(kafka_required=True)
    runtime.also_run(Stuck(attempts, runtime.metrics).run)

    async def prepare() -> None:
        for store in (attempts, held, catalog):
            await store.ensure_indexes()
        if not await catalog.was_imported():
            counts = await catalog.bring_in(read_catalog(settings.catalog_file), prune=False)
            log.info("catalog.imported", **counts)
        log.info("catalog.announced", items=await catalog.announce_all())

    app = make_app("Reelway generator", runtime.metrics, runtime.health, _lifespan(runtime, (n8n, runs), prepare))
    serve_asyncapi(app, runtime.consumers, "generator", PUBLISHED)
    serve_admin(app, settings, runtime)
    return app, runtime


def _lifespan(
    runtime: Runtime, clients: Iterable[N8n | Runs | None], prepare: Callable[[], Awaitable[None]]
) -> Lifespan:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as opened:
            for client in clients:
                if client is not None:
                    opened.push_async_callback(client.aclose)
            async with runtime.lifespan(prepare):
                yield

    return lifespan


def _rules(settings: GeneratorSettings) -> Rules:
    return Rules(
        deadline=settings.workflow_deadline,
        deadline_most=settings.workflow_deadline_most,
        estimate=settings.workflow_estimate,
        late_result=settings.late_result,
    )


def _pace(settings: GeneratorSettings) -> Pace:
    longer = max(settings.workflow_deadline_most - settings.workflow_deadline, timedelta(0))
    return Pace(settings.dispatch_retry_first, settings.dispatch_retry_most, longer + CALLBACK_GRACE)


def _patience(settings: GeneratorSettings) -> Patience:
    return Patience(settings.workflow_lost_after, settings.workflow_deadline_step, settings.workflow_deadline_most)


def _urls(settings: GeneratorSettings) -> dict[Kind, str]:
    return {"create": str(settings.video_creation_webhook_url), "generate": str(settings.generate_video_webhook_url)}


def _runs(settings: GeneratorSettings) -> Runs | None:
    key = settings.n8n_api_key.get_secret_value()
    apis: dict[Kind, str] = {kind: api_beside(url) for kind, url in _urls(settings).items()}
    return Runs(apis, key, ASK_TIMEOUT) if key else None


def _engine(settings: GeneratorSettings) -> Engine:
    value = settings.n8n_auth_value.get_secret_value()
    return Engine(
        urls=_urls(settings),
        public_url=str(settings.public_url),
        secret=settings.webhook_secrets[0],
        auth={settings.n8n_auth_header: value} if value else {},
    )
