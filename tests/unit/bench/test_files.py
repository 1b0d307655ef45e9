import hashlib
from pathlib import Path

import av
import pytest

from tests.bench.file_server import wanted_range
from tests.bench.video_file import write_video


def test_the_video_has_the_size_asked_for_and_can_be_played(tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    sha256 = write_video(file, 300_000)
    assert file.stat().st_size == 300_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    with av.open(str(file)) as container:
        assert next(container.decode(video=0)).width == 320


def test_a_video_smaller_than_its_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be filled up"):
        write_video(tmp_path / "video.mp4", 100)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", (0, 100)), ("bytes=10-", (10, 100)), ("bytes=10-19", (10, 20)), ("bytes=90-200", (90, 100))],
)
def test_ranges(header: str, expected: tuple[int, int]) -> None:
    assert wanted_range(header, 100) == expected
