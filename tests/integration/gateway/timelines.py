"""Timelines as their owners read them, and news for them."""

from typing import Any

from shared.contracts.events import WorkflowNoted
from tests.driving import eventually
from tests.integration.gateway import events
from tests.integration.gateway.world import Json, Person

TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


async def timeline(person: Person, video_id: str) -> Json:
    answer = await person.client.get(f"/api/video/timeline/{video_id}")
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return data


async def entries(person: Person, video_id: str, *codes: str, **wanted: Any) -> list[Json]:
    """Return the entries of a video as soon as one of each code is there, the one of the last code with `wanted`."""

    async def look() -> list[Json] | None:
        found: list[Json] = (await timeline(person, video_id))["entries"]
        last = [e for e in found if e["code"] == codes[-1] and all(e.get(n) == v for n, v in wanted.items())]
        return found if last and set(codes) <= {entry["code"] for entry in found} else None

    return await eventually(look, f"{codes} {wanted}")


def noted(video_id: str, occurrence: str, message: str = "Call 1 was refused.", **changes: Any) -> WorkflowNoted:
    about = {**events.about(video_id, 1, f"noted:{occurrence}"), "code": "call.refused", "message": message}
    return WorkflowNoted.model_validate({**about, **changes})


def codes_of(found: list[Json]) -> list[str]:
    return [entry["code"] for entry in found]


def mark(video_id: str) -> WorkflowNoted:
    """Return the last news of a partition, which is there once what came before has been handled."""
    return noted(video_id, "mark", "That is all.", code="mark", lasting=True)
