"""Builds the notifier: settings → database → broker → routes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi import FastAPI

from services.notifier.audience import Audience
from services.notifier.callers import Callers
from services.notifier.handlers import Handlers
from services.notifier.jwks import PublishedKeys
from services.notifier.routes import routes
from services.notifier.settings import NotifierSettings
from services.notifier.store import Store
from services.notifier.workflow import Telling
from shared.contracts.events import NotificationCreated, NotificationPassed
from shared.wiring.admin import serve_admin
from shared.wiring.asyncapi import serve_asyncapi
from shared.wiring.http import make_app
from shared.wiring.http_client import HttpClient
from shared.wiring.runtime import Runtime

PUBLISHED = (NotificationCreated, NotificationPassed)


class Notifier(NamedTuple):
    """The application and what is to be called at the stop signal."""

    app: FastAPI
    stop: Callable[[], None]


def build(settings: NotifierSettings) -> Notifier:
    """Return the notifier; nothing connects before its lifespan begins."""
    runtime = Runtime("notifier", settings, settings.notifier_mongo_url)
    store = Store(runtime.mongo.database, runtime.outbox, settings.notification_retention)
    audience = Audience(store, runtime.metrics, settings)
    telling = Telling(store, audience, runtime.kafka.send, runtime.metrics)
    client = HttpClient()
    keys = PublishedKeys(
        settings.jwks_url, client, refresh=settings.jwks_refresh, again_after=settings.jwks_again_after
    )
    Handlers(telling, audience).listen(runtime.inbox)
    runtime.watch_dependencies(kafka_required=True)
    runtime.health.watch("keys", keys.probe, required=False)
    runtime.also_run(audience.run)
    runtime.also_run(keys.run)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with client, runtime.lifespan(store.prepare):
            yield

    app = make_app("Reelway notifier", runtime.metrics, runtime.health, lifespan)
    app.include_router(routes(telling, audience, Callers(keys)))
    serve_asyncapi(app, runtime.consumers, "notifier", PUBLISHED)
    serve_admin(app, settings, runtime)

    def stop() -> None:
        runtime.say_stopping()
        audience.stop()

    return Notifier(app, stop)
