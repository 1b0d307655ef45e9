"""Avatars, voices and topics, field for field."""

import uuid
from datetime import UTC, datetime, timedelta

from shared.contracts.events import AvatarChanged, CatalogItemRemoved, TopicChanged, VoiceChanged
from tests.contract.http.shapes import success
from tests.driving import eventually
from tests.integration.gateway.world import Json, Person, World

SHAPES = {
    "avatars": {"avatar_id": str, "name": str, "gender": str, "previewUrl?": str},
    "voices": {"voice_id": str, "name": str, "gender": str, "language?": str, "previewUrl?": str},
    "topics": {"topic_id": str, "title": str, "category?": str, "keyPoints?": (str, list)},
}


async def listed(person: Person, kind: str, item_id: str) -> Json | None:
    data = success(await person.client.get(f"/api/video/{kind}"), 200, {kind: [SHAPES[kind]]})
    return next((item for item in data[kind] if item_id in item.values()), None)


async def test_items_as_the_generator_announces_them(world: World) -> None:
    person, mark = await world.person(), uuid.uuid4().hex
    fields = {"id": f"{mark}:avatar", "avatar_id": mark, "name": "Anna", "gender": "female"}
    await world.publish(
        AvatarChanged(**fields, preview_url="https://example.com/a.jpg"),
        VoiceChanged(id=f"{mark}:voice", voice_id=mark, name="Bea", gender="female", language="en"),
        TopicChanged(id=f"{mark}:topic", topic_id=mark, title="Roofs", category="Buying", key_points=["a", "b"]),
    )
    topic = await eventually(lambda: listed(person, "topics", mark), "topics")
    assert topic == {"topic_id": mark, "title": "Roofs", "category": "Buying", "keyPoints": ["a", "b"]}
    voice = await eventually(lambda: listed(person, "voices", mark), "voices")
    assert voice == {"voice_id": mark, "name": "Bea", "gender": "female", "language": "en"}
    avatar = await eventually(lambda: listed(person, "avatars", mark), "avatars")
    assert avatar == {"avatar_id": mark, "name": "Anna", "gender": "female", "previewUrl": "https://example.com/a.jpg"}


async def test_the_newest_announcement_counts(world: World) -> None:
    person, mark = await world.person(), uuid.uuid4().hex
    now = datetime.now(UTC)

    def avatar(name: str, age_seconds: int) -> AvatarChanged:
        time = now - timedelta(seconds=age_seconds)
        return AvatarChanged(id=f"{mark}:{name}", time=time, avatar_id=mark, name=name, gender="male")

    await world.publish(avatar("new", 10), avatar("old", 20), avatar("newest", 5))
    await eventually(lambda: _named(person, mark, "newest"), "the newest name")
    await world.publish(CatalogItemRemoved(id=f"{mark}:gone", time=now, item=f"avatar:{mark}"), avatar("late", 3))
    await world.publish(TopicChanged(id=f"{mark}:after", topic_id=f"{mark}-after", title="After all that"))
    await eventually(lambda: listed(person, "topics", f"{mark}-after"), "topics")
    assert await listed(person, "avatars", mark) is None


async def _named(person: Person, mark: str, name: str) -> bool | None:
    avatar = await listed(person, "avatars", mark)
    return avatar is not None and avatar["name"] == name
