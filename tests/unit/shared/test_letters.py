"""What a service's dead letters are, made up from the records of their topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from shared.contracts.cloudevents import Record
from shared.contracts.events import VideoRequested, VideoRetryRequested
from shared.contracts.letters import (
    Origin,
    closing,
    dead_letter,
    letter_name,
    origin_of,
    origin_told,
    readable,
    redrive,
)
from shared.contracts.paid_work import may_start_paid_work
from shared.delivery.letter import Letter, Letters, Selection, whole

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Stored:
    """A record as Kafka gives it back."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = 0


_offsets = count()


def stored(record: Record) -> Stored:
    return Stored(record.topic, next(_offsets), record.key, record.value, record.all_headers)


def given_up(record: Stored, reason: str = "KeyError") -> Stored:
    return stored(dead_letter("media", record, reason=reason, error=KeyError("title"), attempts=5))


def event(offset: int = 7, headers: Headers = (("ce_type", b"VideoReady"), ("ce_id", b"e1"))) -> Stored:
    return Stored("video.assets", offset, b"v1", b"{}", headers)


ID = "media:" + letter_name(Origin("video.assets", 0, 7, (("ce_id", b"e1"),)), b"{}")


def folded(*records: Stored) -> list[Letter]:
    letters = Letters("media")
    for record in records:
        letters.take(record)
    return list(letters)


def test_a_letter_says_what_it_was_and_why() -> None:
    (letter,) = folded(given_up(event()))
    assert letter.id == ID
    assert (letter.topic, letter.partition, letter.offset) == ("video.assets", 0, 7)
    assert (letter.event_type, letter.event_id, letter.key, letter.size_bytes) == ("VideoReady", "e1", "v1", 2)
    assert (letter.reason, letter.error, letter.attempts, letter.redrives) == ("KeyError", "KeyError('title')", 5, 0)
    assert letter.state == "open"
    assert letter.time is not None


def test_an_event_that_is_published_and_given_up_again_is_one_letter() -> None:
    first, second = given_up(event(7)), given_up(event(9), "ValueError")
    (letter,) = folded(first, second)
    assert (letter.id, letter.reason, letter.times, letter.offset) == (ID, "ValueError", 2, 9)
    assert letter.place == (0, second.offset)
    (letter,) = folded(first, stored(closing("media", first, "redriven")), second)
    assert letter.state == "open", "it came after that was decided"


def test_what_was_discarded_stays_so_however_often_its_producer_repeats_it() -> None:
    first, second = given_up(event(7)), given_up(event(9), "ValueError")
    mark = stored(closing("media", first, "discarded"))
    for order in ((first, second, mark), (first, mark, second), (first, mark, second, given_up(event(11)))):
        (letter,) = folded(*order)
        assert letter.state == "discarded"
        assert letter.state_since is not None
    assert letter.times == 3
    redriven = stored(closing("media", second, "redriven"))
    again = given_up(stored(redrive("media", second, allow_paid_work=False)))
    (letter,) = folded(first, second, redriven, mark, again)
    assert letter.state == "open", "a person has sent it back since"


@pytest.mark.parametrize(
    "other",
    [
        event(8, (("ce_type", b"VideoReady"), ("ce_id", b"e2"))),
        Stored("video.workflows", 7, b"v1", b"{}", (("ce_id", b"e1"),)),
        Stored("video.assets", 7, b"v1", b"{ }", (("ce_id", b"e1"),)),
    ],
)
def test_another_event_topic_or_body_is_another_letter(other: Stored) -> None:
    assert len(folded(given_up(event()), given_up(other))) == 2


def test_without_an_id_each_message_is_its_own_letter() -> None:
    nameless: Headers = (("ce_type", b"VideoReady"),)
    assert len(folded(*(given_up(event(offset, nameless)) for offset in (7, 8)))) == 2
    first = given_up(event(7, nameless))
    assert len(folded(first, given_up(stored(redrive("media", first, allow_paid_work=False))))) == 1


@pytest.mark.parametrize("mark", ["redriven", "discarded"])
def test_a_mark_closes_the_letter_before_it(mark: str) -> None:
    record = given_up(event())
    closed, other = folded(record, given_up(event(8, ())), stored(closing("media", record, mark)))  # type: ignore[arg-type]
    assert (closed.state, other.state) == (mark, "open")


def test_one_that_failed_again_is_open_again_whichever_record_came_first() -> None:
    first = given_up(event())
    mark = stored(closing("media", first, "redriven"))
    second = given_up(stored(redrive("media", first, allow_paid_work=False)))
    for order in ((first, mark, second), (first, second, mark)):
        (letter,) = folded(*order)
        assert (letter.state, letter.redrives, letter.id) == ("open", 1, ID)
    (letter,) = folded(first, mark, second, stored(closing("media", second, "redriven")))
    assert letter.state == "redriven"


def test_a_mark_of_a_letter_that_is_gone_makes_none() -> None:
    assert folded(stored(closing("media", given_up(event()), "discarded"))) == []


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("dlq_topic", b"video.assets"),),
        (("dlq_topic", b"t"), ("dlq_partition", b"x"), ("dlq_offset", b"1")),
        (("dlq_topic", None), ("dlq_partition", None), ("dlq_offset", None)),
        (("dlq_topic", b"\xff"), ("dlq_partition", b"1"), ("dlq_offset", b"1"), ("dlq_attempts", b"\xff")),
    ],
)
def test_what_is_no_letter_is_shown_all_the_same(headers: Headers) -> None:
    (letter,) = folded(Stored("media.dlq", 3, None, None, headers))
    assert letter.reason == "no_letter"
    assert whole(letter, Stored("media.dlq", 3, None, None, headers))["body"] == ""


def test_headers_come_back_as_they_were_and_do_not_pile_up() -> None:
    headers: Headers = (("ce_type", b"x"), ("twice", b"1"), ("twice", None), ("dlq_topic", b"false"), ("n", b"\xff"))
    record = event(headers=headers)
    for redrives in range(1, 4):
        letter = given_up(record)
        record = stored(redrive("media", letter, allow_paid_work=False))
        origin = origin_of(record)
        assert (origin.topic, origin.offset, origin.headers, origin.redrives) == ("video.assets", 7, headers, redrives)
        assert not origin.paid_work_allowed
    assert origin_of(stored(redrive("media", letter, allow_paid_work=True))).paid_work_allowed


def test_a_message_can_not_grant_itself_leave_nor_another_origin() -> None:
    forged: Headers = (("redrive_paid_work", b"allowed"), ("dlq_topic", b"a"), ("original_dlq_topic", b"b"))
    origin = origin_of(stored(redrive("media", given_up(event(headers=forged)), allow_paid_work=False)))
    assert (origin.topic, origin.paid_work_allowed, origin.headers) == ("video.assets", False, forged)


def test_a_header_that_is_no_text_makes_all_unreadable() -> None:
    assert readable((("a", b"1"), ("b", b"2"))) == {"a": "1", "b": "2"}
    for odd in (("c", None), ("c", b"\xff"), ("\udcff", b"1")):
        assert readable((("a", b"1"), odd)) == {}


def test_a_name_that_is_no_text_can_still_be_written() -> None:
    letter = given_up(event(headers=(("\udcff", b"1"),)))
    assert origin_told(letter).headers == (("\\udcff", b"1"),)


NOW = datetime(2025, 10, 2, 13, tzinfo=UTC)


def letter(**changes: object) -> Letter:
    (one,) = folded(given_up(event()))
    return one.model_copy(update={"time": NOW, **changes})


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(), True),
        (Selection(reason="KeyError", topic="video.assets", type="VideoReady", event_id="e1"), True),
        (Selection(reason="ValueError"), False),
        (Selection(topic="video.requests"), False),
        (Selection(type="VideoFailed"), False),
        (Selection(event_id="e2"), False),
        (Selection(ids=(ID,)), True),
        (Selection(ids=("media:0000",)), False),
        (Selection(since=NOW), True),
        (Selection(since=NOW + timedelta(seconds=1)), False),
        (Selection(until=NOW), False),
        (Selection(until=NOW + timedelta(seconds=1)), True),
        (Selection(state="redriven"), False),
        (Selection(state="all"), True),
    ],
)
def test_letters_are_selected_by_every_respect(selection: Selection, fits: bool) -> None:
    assert selection.fits(letter()) is fits


def test_closed_ones_are_left_out_unless_asked_for() -> None:
    closed = letter(state="discarded")
    assert not Selection().fits(closed)
    assert Selection(state="discarded").fits(closed)
    assert Selection(state="all").fits(closed)


def test_a_body_is_shown_as_text_or_in_base64() -> None:
    (one,) = folded(given_up(event()))
    assert whole(one, given_up(event()))["body"] == "{}"
    binary = given_up(Stored("video.assets", 7, None, b"\xff", ()))
    assert whole(one, binary)["bodyBase64"] == "/w=="
    assert "place" not in one.shown()


REQUESTED = (
    b'{"videoId":"v","userId":"u","attempt":1,"kind":"create","requestId":"r","title":"t","email":"e","fields":{}}'
)
RETRIED = b'{"videoId":"v","userId":"u","attempt":2,"kind":"create","requestId":"r","title":"t","restart":"%s"}'


@pytest.mark.parametrize(
    ("type_name", "value", "may"),
    [
        (VideoRequested.__name__, REQUESTED, True),
        (VideoRequested.__name__, b"{", True),
        (VideoRequested.__name__, None, True),
        (VideoRetryRequested.__name__, RETRIED % b"workflow", True),
        (VideoRetryRequested.__name__, RETRIED % b"transfer", False),
        (VideoRetryRequested.__name__, b"[" * 100_000, True),
        ("VideoCancelled", b"{}", False),
        ("CompletionReported", b"{}", False),
    ],
)
def test_what_may_start_a_paid_generation(type_name: str, value: bytes | None, may: bool) -> None:
    origin = Origin("video.requests", 0, 1, (("ce_type", type_name.encode()), ("ce_id", b"1")))
    assert may_start_paid_work("generator", origin, value) is may
    assert not may_start_paid_work("media", origin, value)
