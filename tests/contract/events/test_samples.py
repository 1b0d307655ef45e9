"""A stored record of every event: what was once on Kafka can be read for ever.

The files are never changed. An event that gets new fields gets one more sample, `<Type>.<n>.json`, with all of them.
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import events
from shared.contracts.cloudevents import decode, encode
from shared.contracts.events import BY_TYPE, ENVELOPE, Event

SAMPLES = sorted(Path(__file__).with_name("samples").glob("*.json"), key=lambda path: (path.name.split(".")[0], path))
NEWEST = [list(group)[-1] for _, group in groupby(SAMPLES, key=lambda path: path.name.split(".")[0])]


def name(path: Path) -> str:
    return path.stem


def load(path: Path) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return sample


def read(sample: dict[str, Any]) -> Event:
    body = sample["body"]
    return decode(sample["headers"], None if body is None else json.dumps(body).encode())


def test_every_event_has_a_sample() -> None:
    stored = {path.name.split(".")[0] for path in SAMPLES}
    missing = BY_TYPE.keys() - stored
    assert not missing, f"store a sample of each new event in {Path(__file__).parent / 'samples'}: {missing}"
    assert not stored - BY_TYPE.keys(), "an event that was once published must stay readable: put its class back"


def test_every_event_class_is_registered() -> None:
    def leaves(cls: type[Event]) -> set[type[Event]]:
        below = cls.__subclasses__()
        return set().union(*map(leaves, below)) if below else {cls}

    assert {cls for cls in leaves(Event) if cls.__module__.startswith(events.__name__)} == set(BY_TYPE.values())


@pytest.mark.parametrize("path", SAMPLES, ids=name)
def test_a_sample_parses_as_its_type_and_names_its_topic_and_key(path: Path) -> None:
    sample = load(path)
    event = read(sample)
    assert type(event).__name__ == sample["headers"]["ce_type"] == path.name.split(".")[0]
    assert event.topic.name == sample["topic"]
    assert event.key() == sample["key"] == sample["headers"]["ce_subject"]
    assert event.id == sample["headers"]["ce_id"]


@pytest.mark.parametrize("path", SAMPLES, ids=name)
def test_a_sample_survives_being_written_and_read_again(path: Path) -> None:
    event = read(load(path))
    record = encode(event, "test")
    assert decode(record.headers, record.value) == event


@pytest.mark.parametrize("path", NEWEST, ids=name)
def test_the_newest_sample_is_what_is_written_today(path: Path) -> None:
    sample = load(path)
    record = encode(read(sample), sample["headers"]["ce_source"].removeprefix("/reelway/"))
    assert record.topic == sample["topic"]
    assert record.key == sample["key"].encode()
    assert record.headers == sample["headers"]
    assert (None if record.value is None else json.loads(record.value)) == sample["body"]


@pytest.mark.parametrize("path", NEWEST, ids=name)
def test_the_newest_sample_holds_every_field(path: Path) -> None:
    sample = load(path)
    fields = BY_TYPE[sample["headers"]["ce_type"]].model_fields
    expected = {str(field.alias) for key, field in fields.items() if key not in ENVELOPE}
    held = {"item"} if sample["body"] is None else set(sample["body"])  # a removal has no body
    assert held == expected, "store one more sample, with the new fields"


@pytest.mark.parametrize("path", NEWEST, ids=name)
def test_fields_from_the_future_are_ignored(path: Path) -> None:
    sample = load(path)
    if sample["body"] is not None:
        event = read(sample)
        assert read({**sample, "body": {**sample["body"], "addedNextYear": {"deep": [1]}}}) == event
