"""The sweeper's round, with a storage that refuses one key."""

from datetime import datetime, timedelta
from typing import cast

import pytest

from services.media.claims import Claim, Claims
from services.media.objects import Objects, StorageAwayError
from services.media.store import Assets
from services.media.sweeper import Sweeper
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics
from tests.unit.collection import Memory
from tests.unit.turns import Run


class FakeClaims:
    """Claims in memory, the longest due first, made some time ago."""

    def __init__(self, *keys: str, age: timedelta = timedelta(days=1)) -> None:
        self.claimed_at = utc_now() - age
        self.sweep_at = dict.fromkeys(keys, self.claimed_at)

    async def due(self) -> list[Claim]:
        now, made = utc_now(), self.claimed_at
        return [Claim(key, "v", "t", False, False, None, made) for key, at in self.sweep_at.items() if at <= now]

    async def look_again(self, key: str, at: datetime) -> None:
        self.sweep_at[key] = at

    async def close(self, key: str, video_id: str) -> bool:
        return False

    async def forget(self, key: str) -> None:
        del self.sweep_at[key]


class FakeAssets:
    async def find(self, video_id: str) -> None:
        return None


class FakeObjects:
    """A bucket that refuses to delete one object, with an upload to another that nobody was told the id of."""

    def __init__(self) -> None:
        self.uploads = {"lost.mp4": ["never-told"]}
        self.erased: list[str] = []

    def uploads_to(self, key: str) -> list[str]:
        return self.uploads.get(key, [])

    def abort_upload(self, key: str, upload_id: str) -> None:
        self.uploads[key].remove(upload_id)

    def erase(self, key: str) -> None:
        if key == "stuck.mp4":
            raise StorageAwayError("AccessDenied")
        self.erased.append(key)


def sweeper_of(claims: FakeClaims, objects: FakeObjects | None = None) -> Sweeper:
    return Sweeper(
        cast("Assets", FakeAssets()),
        cast("Claims", claims),
        cast("Objects", objects or FakeObjects()),
        Metrics(),
        every=timedelta(seconds=1),
        forget_after=timedelta(hours=1),
    )


async def test_an_object_that_can_not_be_erased_holds_up_no_other() -> None:
    claims = FakeClaims("stuck.mp4", "other.mp4")
    sweeper = sweeper_of(claims)
    with pytest.raises(StorageAwayError):
        await sweeper.sweep()
    await sweeper.sweep()
    assert list(claims.sweep_at) == ["stuck.mp4"]


@pytest.mark.parametrize(
    ("age_seconds", "again_at_seconds"),
    [(0, 10), (4, 14), (10, 20), (60, 120), (1500, 3000), (1900, 3600), (3500, 3600)],
)
async def test_what_lost_is_erased_again_ever_more_seldom(age_seconds: int, again_at_seconds: int) -> None:
    """A write that was broken off long ago may still be ended by the storage: seen where its disk had been full."""
    claims = FakeClaims("lost.mp4", age=timedelta(seconds=age_seconds))
    await sweeper_of(claims).sweep()
    again_at = claims.sweep_at["lost.mp4"] - claims.claimed_at
    assert abs(again_at - timedelta(seconds=again_at_seconds)) < timedelta(seconds=1)


async def test_a_lost_key_is_forgotten_once_no_write_can_follow() -> None:
    claims = FakeClaims("lost.mp4", age=timedelta(hours=1))
    await sweeper_of(claims).sweep()
    assert claims.sweep_at == {}


async def test_an_upload_whose_id_never_arrived_is_ended_too() -> None:
    """Seen where the storage's answer to its beginning was cut off."""
    objects = FakeObjects()
    await sweeper_of(FakeClaims("lost.mp4"), objects).sweep()
    assert objects.uploads == {"lost.mp4": []}


async def test_a_refused_object_that_another_video_has_taken_since_is_left_alone() -> None:
    """Its first video was being deleted: what is to be erased had been listed before."""
    objects, now = FakeObjects(), utc_now()
    listed = Claim("taken.mp4", "v", "t", True, False, None, now)
    await sweeper_of(FakeClaims(), objects).erase(listed)
    assert objects.erased == []


def test_a_refused_key_is_free_for_another_video_until_it_is_closed() -> None:
    claims = Claims(Memory().collection)

    async def story() -> None:
        for key in ("a.mp4", "b.mp4"):
            assert await claims.adopt(key, "first", "t")
            assert not await claims.adopt(key, "second", "t"), "it has an owner"
            await claims.refuse(key)
        assert await claims.adopt("a.mp4", "second", "t")
        assert not await claims.close("a.mp4", "first"), "another has it"
        assert await claims.close("b.mp4", "first")
        assert not await claims.adopt("b.mp4", "second", "t"), "it is about to be erased"

    Run(story()).finish()
