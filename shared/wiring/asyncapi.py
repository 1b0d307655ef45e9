"""AsyncAPI: what a service hears and says on Kafka, generated from its own handlers and event classes."""

from collections.abc import Iterable
from functools import cache

from fastapi import FastAPI
from fastapi.responses import Response
from faststream.kafka import KafkaBroker
from faststream.specification.asyncapi import AsyncAPI

from shared.contracts.events import Event

PATH = "/asyncapi.json"


def serve_asyncapi(app: FastAPI, consumers: KafkaBroker, service: str, publishes: Iterable[type[Event]]) -> None:
    """Serve the document at PATH; `consumers` has the handlers, `publishes` are the events this service makes."""
    for event in publishes:
        consumers.publisher(event.topic.name, schema=event, title=event.__name__, description=event.__doc__)

    @cache
    def document() -> bytes:
        specification = AsyncAPI(consumers, title=f"Reelway {service}", schema_version="3.0.0")
        return specification.to_specification().to_json().encode()

    @app.get(PATH, include_in_schema=False)
    async def asyncapi() -> Response:
        return Response(document(), media_type="application/json")
