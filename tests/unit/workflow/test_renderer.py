from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.local.workflow.palette import palette_for
from deploy.local.workflow.renderer import Rendered, render
from deploy.local.workflow.storyboard import Storyboard, storyboard

SIZE = (160, 88)
FPS = 12
SCRIPT = {
    "title": "Über fünf Dächer",
    "hook": "Look up.",
    "body": "Roofs leak.",
    "conclusion": "Call us.",
    "company_name": "Rosewood Homes",
    "social_handles": "@rosewood",
    "license": "CA-1234",
}


@pytest.fixture(scope="module")
def board() -> Storyboard:
    return storyboard(SCRIPT)


@pytest.fixture(scope="module")
def shares() -> list[float]:
    return []


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, board: Storyboard, shares: list[float]) -> tuple[Path, Rendered]:
    path = tmp_path_factory.mktemp("video") / "a video.mp4"
    return path, render(board, path, SIZE, FPS, shares.append)


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in container.decode(video=0)]


def test_it_is_h264_with_sound_of_the_length_the_text_asks_for(video: tuple[Path, Rendered], board: Storyboard) -> None:
    path, rendered = video
    with av.open(str(path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (picture.width, picture.height) == SIZE
        assert picture.average_rate == FPS
        assert sound.codec_context.name == "aac"
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(board.seconds, abs=0.1)
        assert container.metadata["title"] == SCRIPT["title"]
    assert rendered.duration_seconds == pytest.approx(board.seconds, abs=0.1)
    assert rendered.size_bytes == path.stat().st_size


def test_a_player_can_begin_before_it_has_the_whole_file(video: tuple[Path, Rendered]) -> None:
    content = video[0].read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_there_is_something_to_see_from_the_first_frame_on(video: tuple[Path, Rendered]) -> None:
    frames = pictures(video[0])
    assert frames[0].std() > 10
    assert frames[0].max() > 220, "the title stands on the first frame"
    steps = [np.abs(after.astype(int) - before).mean() for before, after in pairwise(frames)]
    assert min(steps[2:-2]) > 0.02, "pictures move all the time"


def test_progress_only_grows_and_ends_at_one(video: tuple[Path, Rendered], shares: list[float]) -> None:
    assert video[1].size_bytes > 0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_each_title_has_its_own_colours() -> None:
    assert palette_for("one") == palette_for("one")
    assert palette_for("one").lights != palette_for("two").lights


def test_the_longest_script_fits_the_frame(tmp_path: Path) -> None:
    text = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz " * 3
    board = storyboard({"title": text * 5, "hook": text, "company_name": text * 3, "license": text * 3})
    assert render(board, tmp_path / "long.mp4", SIZE, FPS, lambda _: None).size_bytes > 0
