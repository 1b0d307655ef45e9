"""A source whose server lies about what is left of the file."""

from collections.abc import Mapping
from email.message import Message
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.media import source as source_module
from services.media.domain import EndsEarlyError, TransferError, TroubleError, UnreachableError
from services.media.source import VideoSource
from services.media.stopping import Stop

BODY = b"".join(number.to_bytes(4, "big") for number in range(25_000))


class FakeResponse:
    """An answer with `body`, of which it announces `size_bytes`."""

    def __init__(
        self, status: int, body: bytes, size_bytes: int, breaks: Exception | None = None, **headers: str
    ) -> None:
        self.status = status
        self.size_bytes = size_bytes
        self.headers = Message()
        for name, value in headers.items():
            self.headers[name.replace("_", "-")] = value
        self._body = body
        self._breaks = breaks

    def read(self, most_bytes: int) -> bytes:
        block, self._body = self._body[:most_bytes], self._body[most_bytes:]
        if not block and self._breaks:
            raise self._breaks
        return block

    def close(self) -> None:
        return None


class FakeFetcher:
    slowest = 1_000

    def __init__(self, *answers: FakeResponse) -> None:
        self._answers = list(answers)

    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> FakeResponse:
        return self._answers.pop(0)


def test_a_resumed_answer_gives_no_more_than_the_file_has() -> None:
    broken = FakeResponse(200, b"a" * 40, 100, ETag='"v1"')
    body = b"a" * 40 + b"b" * 60 + b"DELETE /bucket HTTP/1.1"
    more = FakeResponse(206, body, 123, ETag='"v1"', Content_Range="bytes 0-99/100")
    fetcher = cast("Any", FakeFetcher(broken, more))
    source = VideoSource(fetcher, "http://files.test/a.mp4", most_bytes=1_000, stop=Stop())
    read = b""
    while block := source.read(64):
        read += block
    assert read == b"a" * 40 + b"b" * 60


def test_a_resumed_answer_that_gives_other_bytes_is_not_joined() -> None:
    broken = FakeResponse(200, BODY[:40_000], 100_000, ETag='"v1"')
    begins_anew = FakeResponse(206, BODY, 76_384, ETag='"v1"', Content_Range="bytes 23616-99999/100000")
    fetcher = cast("Any", FakeFetcher(broken, begins_anew))
    source = VideoSource(fetcher, "http://files.test/a.mp4", most_bytes=1_000_000, stop=Stop())
    assert source.read(50_000) == BODY[:40_000]
    with pytest.raises(EndsEarlyError):
        source.read(50_000)


def test_a_resumed_answer_that_breaks_at_once_is_asked_for_again() -> None:
    rest = {"ETag": '"v1"', "Content_Range": "bytes 23616-99999/100000"}
    answers = (
        FakeResponse(200, BODY[:40_000], 100_000, ETag='"v1"'),
        FakeResponse(206, BODY[23_616:24_000], 76_384, ConnectionResetError(), **rest),
        FakeResponse(206, BODY[23_616:], 76_384, None, **rest),
    )
    source = VideoSource(cast("Any", FakeFetcher(*answers)), "http://a.test/", most_bytes=1_000_000, stop=Stop())
    read = b""
    while block := source.read(50_000):
        read += block
    assert read == BODY


@pytest.mark.parametrize(
    ("breaks", "kind"),
    [(TimeoutError("silent"), UnreachableError), (ConnectionResetError(), UnreachableError), (None, EndsEarlyError)],
)
def test_a_source_that_breaks_before_the_first_byte_is_out_of_reach(
    breaks: Exception | None, kind: type[TransferError]
) -> None:
    fetcher = cast("Any", FakeFetcher(FakeResponse(200, b"", 100, breaks)))
    source = VideoSource(fetcher, "http://files.test/a.mp4", most_bytes=1_000, stop=Stop())
    with pytest.raises(kind):
        source.read(64)


def test_a_source_that_breaks_in_the_middle_is_not_out_of_reach() -> None:
    fetcher = cast("Any", FakeFetcher(FakeResponse(200, b"a", 100, ConnectionResetError())))
    source = VideoSource(fetcher, "http://files.test/a.mp4", most_bytes=1_000, stop=Stop())
    assert source.read(64) == b"a"
    with pytest.raises(TransferError) as failure:
        source.read(64)
    assert not isinstance(failure.value, UnreachableError)


@pytest.mark.parametrize(("size_bytes", "kind"), [(29_000, UnreachableError), (31_000, TroubleError)])
def test_a_source_that_falls_silent_is_out_of_reach_where_it_gave_next_to_nothing(
    monkeypatch: pytest.MonkeyPatch, size_bytes: int, kind: type[TransferError]
) -> None:
    silent = FakeResponse(200, BODY[:size_bytes], 100_000, TimeoutError("silent for 30 s"))
    waits = iter((0.0, 1.0, 1.0, 30.0))  # before and after each of the two reads
    monkeypatch.setattr(source_module, "time", SimpleNamespace(monotonic=lambda: next(waits)))
    source = VideoSource(cast("Any", FakeFetcher(silent)), "http://a.test/", most_bytes=1_000_000, stop=Stop())
    source.read(50_000)
    with pytest.raises(kind) as failure:
        source.read(50_000)
    assert type(failure.value) is kind
