from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.contracts.cloudevents import BadMessage, decode, encode
from shared.contracts.events import CatalogItemRemoved, NotificationCreated, VideoRemoved, event_id
from shared.contracts.wire import iso

NOW = datetime(2025, 10, 2, 13, 29, 0, 638000, UTC)


def removed() -> VideoRemoved:
    return VideoRemoved(id="v:1:removed", time=NOW, video_id="u_1", user_id="u", attempt=1)


def test_the_envelope_travels_in_headers_and_the_rest_in_the_body() -> None:
    record = encode(removed(), "media")
    assert record.topic == "video.assets"
    assert record.key == b"u_1"
    assert record.value == b'{"videoId":"u_1","userId":"u","attempt":1}'
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": "v:1:removed",
        "ce_type": "VideoRemoved",
        "ce_source": "/reelway/media",
        "ce_time": "2025-10-02T13:29:00.638Z",
        "ce_subject": "u_1",
        "content-type": "application/json",
    }


def test_a_traceparent_is_carried_only_where_there_is_one() -> None:
    traced = removed().model_copy(update={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    assert decode(encode(traced, "media").headers, encode(traced, "media").value).traceparent == traced.traceparent
    assert "traceparent" not in encode(removed(), "media").headers


def test_a_removal_from_the_catalog_has_no_body_so_that_compaction_forgets_it() -> None:
    event = CatalogItemRemoved(id="1", time=NOW, item="avatar:amy")
    record = encode(event, "generator")
    assert record.value is None
    assert decode(record.headers, None) == event


def test_times_in_any_zone_are_written_in_utc_to_the_millisecond() -> None:
    moment = datetime(2025, 10, 2, 15, 29, 0, 638999, timezone(timedelta(hours=2)))
    assert iso(moment) == "2025-10-02T13:29:00.638Z"


def test_ids_derive_from_subject_attempt_and_transition() -> None:
    assert event_id("u_1", 2, "ready") == event_id("u_1", 2, "ready") == "u_1:2:ready"


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ({}, b"{}", "unknown_type"),
        ({"ce_type": "VideoExploded", "ce_id": "1"}, b"{}", "unknown_type"),
        ({"ce_type": "NotificationCreated", "ce_id": "1"}, b"{", "unreadable_json"),
        ({"ce_type": "NotificationCreated", "ce_id": "1"}, b"\xff\xfe", "unreadable_json"),
        ({"ce_type": "NotificationCreated", "ce_id": "1"}, None, "unreadable_json"),
        ({"ce_type": "NotificationCreated", "ce_id": "1"}, b"[1]", "unreadable_body"),
        ({"ce_type": "NotificationCreated", "ce_id": "1"}, b'{"userId":"u"}', "unreadable_body"),
        ({"ce_type": "NotificationCreated"}, b'{"userId":"u","seq":1}', "unreadable_body"),
        (
            {"ce_type": "NotificationCreated", "ce_id": "1", "ce_time": "soon"},
            b'{"userId":"u","seq":1}',
            "unreadable_body",
        ),
        ({"ce_type": "CatalogItemRemoved", "ce_id": "1"}, None, "unreadable_body"),
    ],
)
def test_what_cannot_be_read_says_why(headers: dict[str, str], value: bytes | None, reason: str) -> None:
    with pytest.raises(BadMessage) as raised:
        decode(headers, value)
    assert raised.value.reason == reason


def test_what_cannot_be_read_does_not_repeat_what_it_holds() -> None:
    with pytest.raises(BadMessage) as raised:
        decode({"ce_type": "NotificationCreated", "ce_id": "1"}, b'{"userId":"u","seq":"a secret script"}')
    assert "secret script" not in str(raised.value)
    assert "seq" in str(raised.value)


def test_a_missing_time_is_the_time_of_reading() -> None:
    event = decode({"ce_type": "NotificationCreated", "ce_id": "1"}, b'{"userId":"u","seq":1}')
    assert isinstance(event, NotificationCreated)
    assert abs(datetime.now(UTC) - event.time) < timedelta(seconds=5)
