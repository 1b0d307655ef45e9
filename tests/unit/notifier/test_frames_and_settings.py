import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.notifier import frames
from services.notifier.settings import NotifierSettings
from shared.wiring.sse import reconnect
from tests.unit.notifier.fake_store import notification


def test_a_notification_is_one_event_on_one_line_whatever_it_holds() -> None:
    told = notification(7)
    told.payload["title"] = "two\nlines\r\n\u2028 \u00fcmlaut"
    lines = frames.update(told).decode().split("\n")
    assert lines[:2] == ["id: 7", "event: video-download-update"]
    assert lines[3:] == ["", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == {**told.payload, "seq": 7}


def test_an_event_without_an_id_leaves_the_clients_place_as_it_was() -> None:
    assert frames.frame("auth-expiring", {}) == b"event: auth-expiring\ndata: {}\n\n"


def test_hints_are_in_milliseconds_and_farewells_are_spread() -> None:
    assert frames.retry(timedelta(seconds=2)) == b"retry: 2000\n\n"
    assert len({reconnect(timedelta(seconds=2)) for _ in range(20)}) > 5


def test_durations_are_seconds_or_iso_8601(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_HEARTBEAT", "7.5")
    monkeypatch.setenv("NOTIFICATION_RETENTION", "P60D")
    settings = NotifierSettings()
    assert settings.stream_heartbeat == timedelta(seconds=7.5)
    assert settings.notification_retention == timedelta(days=60)


def test_notifications_must_outlive_the_redelivery_of_their_events() -> None:
    with pytest.raises(ValidationError, match="NOTIFICATION_RETENTION must be longer than 7 days"):
        NotifierSettings(notification_retention=timedelta(days=7))


def test_every_setting_of_the_notifier_is_explained_or_plain() -> None:
    plain = {"notifier_host", "notifier_port", "notifier_mongo_url"}
    own = set(NotifierSettings.model_fields) - set(NotifierSettings.__mro__[1].model_fields)  # type: ignore[attr-defined]
    assert all(NotifierSettings.model_fields[name].description for name in own - plain)
