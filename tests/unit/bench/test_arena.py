from pathlib import Path

import pytest

from tests.bench.arena import stack


def test_nothing_of_the_callers_shell_reaches_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT", "http://storage.example")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    settings = stack(tmp_path, services=("media",), engines=("kafka", "media-db")).settings("media")
    assert "S3_ENDPOINT" not in settings
    assert "LOG_LEVEL" not in settings
    assert settings["LOG_FORMAT"] == "json"
