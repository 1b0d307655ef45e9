from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.gateway import forecast
from services.gateway.forecast import Forecast, percentile
from shared.contracts.videos import VideoKind

FIFTEEN = timedelta(minutes=15)


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([], None),
        (seconds(1, 2, 3, 4), None),
        (seconds(5, 1, 4, 2, 3), timedelta(seconds=5)),
        (seconds(*range(1, 11)), timedelta(seconds=9)),
        (seconds(*range(1, 101)), timedelta(seconds=90)),
    ],
)
def test_nine_in_ten_stay_within_it(durations: list[timedelta], expected: timedelta | None) -> None:
    assert percentile(durations) == expected


class Past:
    def __init__(self) -> None:
        self.reads = 0
        self.took: dict[VideoKind, list[timedelta]] = {
            "create": [],
            "generate": seconds(*range(1, 11)),
            "import": seconds(*[2] * 5),
        }

    async def __call__(self, kind: VideoKind, limit: int) -> Sequence[timedelta]:
        self.reads += 1
        return self.took[kind][:limit]


async def test_each_kind_has_its_own_and_without_a_history_the_setting_counts() -> None:
    told = Forecast(Past(), FIFTEEN)
    assert await told.expected("create") == FIFTEEN
    assert await told.expected("generate") == timedelta(seconds=9)


async def test_an_attempt_that_only_fetches_the_file_takes_as_long_as_an_import() -> None:
    assert await Forecast(Past(), FIFTEEN).expected("generate", "transfer") == timedelta(seconds=2)


async def test_the_history_is_read_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("services.gateway.forecast.time.monotonic", lambda: now[0])
    past = Past()
    told = Forecast(past, FIFTEEN)
    for _ in range(3):
        await told.expected("generate")
    assert past.reads == 1
    past.took["generate"] = seconds(*[60] * 10)
    now[0] += forecast.FRESH_SECONDS
    assert await told.expected("generate") == timedelta(minutes=1)
