"""The composition root: settings become a running service. Nothing connects before the application starts."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from services.media import handlers
from services.media.claims import Claims
from services.media.endings import Endings
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.jobs import Jobs
from services.media.mover import Mover
from services.media.objects import S3Objects
from services.media.patience import Patience
from services.media.probe import Prober
from services.media.reports import Reports
from services.media.settings import MediaSettings
from services.media.slots import Slots
from services.media.storage_health import StorageHealth
from services.media.storage_time import StorageTime
from services.media.storage_use import StorageUse
from services.media.store import Assets
from services.media.sweeper import Sweeper
from services.media.transfer import Transfers
from services.media.workflow import Workflow
from shared.contracts.events import (
    TransferNoted,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
)
from shared.wiring.admin import serve_admin
from shared.wiring.asyncapi import serve_asyncapi
from shared.wiring.http import make_app
from shared.wiring.metrics import Metrics
from shared.wiring.runtime import Runtime

BEYOND_DEADLINE = timedelta(hours=1)
PUBLISHED = (TransferStarted, TransferProgressed, TransferNoted, VideoReady, VideoFailed, VideoRemoved)


@dataclass(frozen=True, slots=True)
class Service:
    """The application and the life it has."""

    app: FastAPI
    runtime: Runtime


def build(settings: MediaSettings) -> Service:
    """Return the service, built and not yet connected to anything."""
    runtime = Runtime("media", settings, settings.media_mongo_url)
    database = runtime.mongo.database
    outbox = runtime.outbox(database["assets"])
    assets, claims = Assets(database["assets"], outbox), Claims(database["claims"])
    storage_time = StorageTime(runtime.metrics)
    objects = _objects(settings, storage_time)
    transfers = Transfers(_fetcher(settings), objects, storage_time, most_bytes=settings.max_video_bytes)
    sweeper = _sweeper(settings, assets, claims, objects, runtime.metrics)
    reports = Reports(runtime.kafka.send)
    jobs = Jobs(
        _mover(settings, transfers, objects, claims, reports),
        claims,
        sweeper,
        Endings(claims, sweeper, outbox, runtime.metrics),
        outbox,
        runtime.metrics,
        reports,
        _patience(settings),
    )
    slots = _slots(settings)
    workers = runtime.workers(
        database["assets"], jobs.work, concurrency=slots.all, lease=settings.transfer_lease, room=slots.room
    )
    handlers.register(runtime.inbox, Workflow(assets, claims, workers))
    runtime.also_run(sweeper.run)
    runtime.also_run(StorageUse(assets, runtime.metrics, settings.s3_bucket).run)
    runtime.watch_dependencies(kafka_required=True)
    runtime.health.watch("storage", StorageHealth(objects).probe, required=False)

    async def prepare() -> None:
        await assets.ensure_indexes()
        await claims.ensure_indexes()

    def lifespan(app: FastAPI) -> AbstractAsyncContextManager[None]:
        return runtime.lifespan(prepare)

    app = make_app("Reelway media", runtime.metrics, runtime.health, lifespan)
    serve_asyncapi(app, runtime.consumers, "media", PUBLISHED)
    serve_admin(app, settings, runtime)
    return Service(app, runtime)


def _sweeper(settings: MediaSettings, assets: Assets, claims: Claims, objects: S3Objects, metrics: Metrics) -> Sweeper:
    return Sweeper(
        assets,
        claims,
        objects,
        metrics,
        every=settings.sweep_every,
        forget_after=settings.transfer_deadline + BEYOND_DEADLINE,
    )


def _slots(settings: MediaSettings) -> Slots:
    return Slots(
        settings.transfer_concurrency,
        settings.import_concurrency,
        settings.imports_per_user,
        settings.transfer_unreachable_for,
    )


def _patience(settings: MediaSettings) -> Patience:
    return Patience(
        deadline=settings.transfer_deadline,
        retry_first=settings.transfer_retry_first,
        retry_most=settings.transfer_retry_most,
        early_ends=settings.transfer_incomplete_tries,
        unreachable_for=settings.transfer_unreachable_for,
        with_writers=settings.transfer_lease * 1.5,
    )


def _objects(settings: MediaSettings, storage_time: StorageTime) -> S3Objects:
    return S3Objects(
        storage_time,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        region=settings.s3_region,
        bucket=settings.s3_bucket,
    )


def _fetcher(settings: MediaSettings) -> Fetcher:
    return Fetcher(
        Guard(settings.fetch_allowed_networks, settings.fetch_allowed_ports),
        connect_seconds=settings.fetch_connect_timeout.total_seconds(),
        read_seconds=settings.fetch_read_timeout.total_seconds(),
        slowest=settings.fetch_slowest,
        most_redirects=settings.fetch_most_redirects,
    )


def _mover(
    settings: MediaSettings, transfers: Transfers, objects: S3Objects, claims: Claims, reports: Reports
) -> Mover:
    return Mover(
        transfers,
        Prober(timeout_seconds=settings.probe_timeout.total_seconds()),
        objects,
        claims,
        reports,
        concurrency=settings.transfer_concurrency,
    )
