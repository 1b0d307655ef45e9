"""What media believes of a key that nobody took: only what lies under its owner's prefix is claimed."""

from typing import cast

import pytest

from services.media.claims import Claims
from services.media.store import Assets
from services.media.workflow import Workflow
from shared.delivery.workers import Workers


class FakeClaims:
    """Remembers what was noted."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    async def note(self, key: str, video_id: str) -> None:
        self.noted.append((key, video_id))


@pytest.mark.parametrize(
    ("key", "believed"),
    [
        ("videos/ann/late.mp4", True),
        ("videos/bob/late.mp4", False),
        ("videos/ann/../bob/late.mp4", False),
        ("videos/ann/poster.jpg", False),
        ("", False),
    ],
)
async def test_only_the_owners_keys_are_claimed(key: str, believed: bool) -> None:
    claims = FakeClaims()
    workflow = Workflow(cast("Assets", None), cast("Claims", claims), cast("Workers", None))
    await workflow.discard("ann_1", "ann", key)
    assert claims.noted == ([(key, "ann_1")] if believed else [])
