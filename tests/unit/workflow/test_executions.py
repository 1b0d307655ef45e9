"""What an engine makes of the executions that the one before it left on disk."""

from pathlib import Path

import pytest

from deploy.local.workflow.executions import ExecutionStore


def stored(data_dir: Path) -> list[str]:
    return [one.id for one in ExecutionStore(data_dir).newest_first()]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"id": "2", "workflow": "gen',
        b"\xff\xfe\x00",
        b'{"id": "2", "state": "of another release"}',
        b"[" * 210 + b"]" * 210,
    ],
    ids=["empty", "cut", "garbage", "another release", "deep"],
)
def test_what_cannot_be_read_is_set_aside_and_the_others_are_there(tmp_path: Path, content: bytes) -> None:
    ExecutionStore(tmp_path).create("generate-video", {"title": "Rates"}, {})
    broken = tmp_path / "executions" / "2.json"
    broken.write_bytes(content)
    for _ in range(2):
        assert stored(tmp_path) == ["1"]
        assert not broken.exists()
        assert broken.with_name("2.json.unreadable").read_bytes() == content


def test_what_is_not_named_after_an_execution_is_let_be(tmp_path: Path) -> None:
    ExecutionStore(tmp_path).create("generate-video", {"title": "Rates"}, {})
    other = tmp_path / "executions" / "1 (copy).json"
    other.write_text("{}")
    assert stored(tmp_path) == ["1"]
    assert other.exists()


def test_the_id_of_what_was_set_aside_is_not_given_again(tmp_path: Path) -> None:
    (tmp_path / "executions").mkdir()
    (tmp_path / "executions" / "5.json").write_text("{")
    for expected in ("6", "7"):
        assert ExecutionStore(tmp_path).create("generate-video", {}, {}).id == expected
