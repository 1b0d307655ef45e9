"""The catalog file: the one that is shipped, and every way one can be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.generator.catalog_file import CatalogFileError, read_catalog
from services.generator.settings import GeneratorSettings
from shared.contracts.events import AvatarChanged, TopicChanged, VoiceChanged

SHIPPED = GeneratorSettings.model_fields["catalog_file"].default


def catalog(**changes: Any) -> dict[str, Any]:
    return {
        "avatars": [{"avatar_id": "ann", "name": "Ann", "gender": "female"}],
        "voices": [{"voice_id": "v1", "name": "Voice", "gender": "female", "language": "English"}],
        "topics": [{"topic_id": "t1", "title": "Topic", "category": "Buying", "keyPoints": ["One"]}],
        **changes,
    }


def problem_with(tmp_path: Path, content: object) -> str:
    file = tmp_path / "catalog.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(CatalogFileError) as caught:
        read_catalog(file)
    return str(caught.value)


def test_the_shipped_catalog_has_a_voice_for_every_avatar() -> None:
    shipped = read_catalog(SHIPPED)
    assert (len(shipped.avatars), len(shipped.voices), len(shipped.topics)) == (12, 10, 15)
    assert {avatar.gender for avatar in shipped.avatars} == {voice.gender for voice in shipped.voices}


def test_items_become_events(tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog()))
    events = {key: item.event("id") for key, _, item in read_catalog(file).items()}
    assert isinstance(events["avatar:ann"], AvatarChanged)
    assert isinstance(events["voice:v1"], VoiceChanged)
    assert isinstance(events["topic:t1"], TopicChanged)
    assert all(event.key() == key for key, event in events.items())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ([], "the file"),
        ({"avatars": []}, "voices: field required"),
        (catalog(avatars=[{"avatar_id": "ann", "name": "Ann"}]), "avatars.0.gender (ann): field required"),
        (catalog(avatars=[{"avatar_id": "ann", "name": "Ann", "gender": "FEMALE"}]), "avatars.0.gender (ann): input"),
        (catalog(avatars=[{"avatar_id": "a:b", "name": "Ann", "gender": "male"}]), "avatars.0.avatar_id (a:b)"),
        (catalog(voices=[{"voice_id": "v1", "name": " ", "gender": "male"}]), "voices.0.name (v1)"),
        (catalog(topics=[{"topic_id": "t", "title": "T", "key_points": []}]), "topics.0.key_points (t): extra"),
        (catalog(avatars=catalog()["avatars"] * 2), "avatar ann is there more than once"),
        (
            catalog(avatars=[{"avatar_id": "a", "name": "A", "gender": "male", "previewUrl": "javascript:1"}]),
            "previewUrl",
        ),
    ],
)
def test_what_is_wrong_is_said_where(tmp_path: Path, content: object, said: str) -> None:
    assert said in problem_with(tmp_path, content)


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    assert "and 31 more" in problem_with(tmp_path, catalog(avatars=[{}] * 16 + [{"name": "x"}] + [1]))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogFileError, match="can't be read"):
        read_catalog(tmp_path / "nothing.json")
