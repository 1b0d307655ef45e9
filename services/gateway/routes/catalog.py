"""`/api/video/avatars`, `voices`, `topics`: what there is to choose from. Answered with the generator down, too."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from services.gateway.routes.access import Access
from services.gateway.routes.answers import Avatars, Topics, Voices, answers
from services.gateway.store.catalog import Catalog
from shared.access.access_tokens import Identity
from shared.wiring.http import answer

_WIRE_NAMES = {"preview_url": "previewUrl", "key_points": "keyPoints"}


def router(catalog: Catalog, access: Access) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/video", tags=["catalog"])

    @routes.get("/avatars", responses=answers(200, Avatars))
    async def avatars(_: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer({"avatars": [_wire(item) for item in await catalog.items("avatar", "name")]})

    @routes.get("/voices", responses=answers(200, Voices))
    async def voices(_: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer({"voices": [_wire(item) for item in await catalog.items("voice", "name")]})

    @routes.get("/topics", responses=answers(200, Topics))
    async def topics(_: Annotated[Identity, Depends(access.identity)]) -> Response:
        return answer({"topics": [_wire(item) for item in await catalog.items("topic", "title")]})

    return routes


def _wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item under the names of the contract, which mixes snake_case ids with camelCase."""
    return {_WIRE_NAMES.get(name, name): value for name, value in item.items()}
