import pytest

from deploy.local.workflow.storyboard import (
    LONGEST_CAPTION,
    MAX_SECONDS,
    MAX_SENTENCES,
    captions,
    shorten,
    split_sentences,
    storyboard,
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Ana saw 3.5 m, e.g. here. Then she left.", ["Dr. Ana saw 3.5 m, e.g. here.", "Then she left."]),
        ('He said "stop!" She went on.', ['He said "stop!"', "She went on."]),
        ("roof\n- street\r\n• neighbours", ["roof", "- street", "neighbours"]),
        ("Wait... what?! No", ["Wait...", "what?!", "No"]),
        ("今日は。元気です。", ["今日は。", "元気です。"]),
        ("  ... \n !! ", []),
        ("", []),
    ],
)  # fmt: skip
def test_prose_is_split_where_a_reader_would(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_long_sentence_is_broken_without_losing_a_word() -> None:
    sentence = "we looked at the house, and " * 20
    pieces = captions(sentence)
    assert len(pieces) > 1
    assert all(len(piece) <= LONGEST_CAPTION for piece in pieces)
    assert " ".join(pieces).split() == sentence.split()


def test_a_word_without_end_is_broken_too() -> None:
    assert all(len(piece) <= LONGEST_CAPTION for piece in captions("x" * 1000))


def test_the_longest_section_gives_way() -> None:
    kept = shorten([["hook"], [f"body {n}" for n in range(30)], ["end 1", "end 2"]])
    assert len(kept) == MAX_SENTENCES
    assert (kept[0], kept[-2:]) == ("hook", ["end 1", "end 2"])


def test_a_generate_request_is_told_in_order() -> None:
    board = storyboard(
        {
            "title": "T",
            "hook": "Ah. Be.",
            "body": "See.",
            "conclusion": "Do.",
            "company_name": "Co",
            "social_handles": "@co",
        }
    )
    assert [scene.text for scene in board.scenes] == ["T", "Ah.", "Be.", "See.", "Do."]
    assert [scene.title for scene in board.scenes] == [True, False, False, False, False]
    assert (board.company, board.small_print) == ("Co", "@co")


def test_a_create_request_is_told_by_its_topic() -> None:
    board = storyboard(
        {
            "prompt": "Show the street.",
            "videoTopic": "Quiet streets",
            "topicKeyPoints": "noise; light",
            "callToAction": "Call us.",
            "companyName": "Co",
            "socialHandles": "@co",
            "license": "L-1",
            "avatar": ["a"],
        }
    )
    assert [scene.text for scene in board.scenes] == ["Quiet streets", "Show the street.", "noise", "light", "Call us."]
    assert board.small_print.split() == ["@co", "·", "L-1"]


def test_nothing_makes_a_video_too_long_or_empty() -> None:
    assert (
        storyboard({"body": "A sentence that is rather long, to be read slowly. " * 100}).seconds <= MAX_SECONDS + 0.01
    )
    empty = storyboard({"title": 7, "hook": None})
    assert [scene.title for scene in empty.scenes] == [True]
