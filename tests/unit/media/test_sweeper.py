"""The sweeper's round, with a storage that refuses one key."""

from datetime import timedelta
from typing import Any, cast

import pytest

from services.media.claims import Claim, Claims
from services.media.objects import Objects, StorageAwayError
from services.media.store import Assets
from services.media.sweeper import Sweeper
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics

LONG_AGO = utc_now() - timedelta(days=1)


class FakeClaims:
    """Claims in memory, the longest due first."""

    def __init__(self, *keys: str) -> None:
        self.sweep_at = dict.fromkeys(keys, LONG_AGO)

    async def due(self) -> list[Claim]:
        now = utc_now()
        return [Claim(key, "v", "t", False, False, None, LONG_AGO) for key, at in self.sweep_at.items() if at <= now]

    async def look_again(self, key: str, at: Any) -> None:
        self.sweep_at[key] = at

    async def forget(self, key: str) -> None:
        del self.sweep_at[key]


class FakeAssets:
    async def find(self, video_id: str) -> None:
        return None


class FakeObjects:
    """A bucket that refuses to delete one object."""

    def erase(self, key: str) -> None:
        if key == "stuck.mp4":
            raise StorageAwayError("AccessDenied")


async def test_an_object_that_can_not_be_erased_holds_up_no_other() -> None:
    claims = FakeClaims("stuck.mp4", "other.mp4")
    sweeper = Sweeper(
        cast("Assets", FakeAssets()),
        cast("Claims", claims),
        cast("Objects", FakeObjects()),
        Metrics(),
        every=timedelta(seconds=1),
        forget_after=timedelta(hours=1),
    )
    with pytest.raises(StorageAwayError):
        await sweeper.sweep()
    await sweeper.sweep()
    assert list(claims.sweep_at) == ["stuck.mp4"]
