"""The rules of keys, orders and claims, and what counts as a video."""

import pytest

from services.media.domain import (
    Attempt,
    HopelessError,
    Rank,
    Source,
    Verdict,
    adoptable,
    claim_key,
    judge_claim,
    order_of,
    poster_key,
)
from services.media.formats import sniff
from shared.contracts.videos import FailureCode


def test_states_are_ordered_by_attempt_then_rank() -> None:
    ranks = [Rank.TRANSFERRING, Rank.FAILED, Rank.READY, Rank.CANCELLED]
    orders = [order_of(attempt, rank) for attempt in (1, 2) for rank in ranks]
    assert orders == sorted(orders)
    assert order_of(1, Rank.DELETED) > order_of(999_999, Rank.CANCELLED)


@pytest.mark.parametrize(
    ("code", "imported", "advice"),
    [
        (FailureCode.SOURCE_UNREACHABLE, True, "Check the address."),
        (FailureCode.SOURCE_UNREACHABLE, False, "Retry to have it fetched again."),
        (FailureCode.NOT_A_VIDEO, False, "Retry to have it rendered again."),
        (
            FailureCode.SOURCE_REFUSED,
            False,
            "Retry to have it fetched once more or, where that was done, rendered again.",
        ),
    ],
)
def test_only_who_named_the_address_is_told_to_look_at_it(code: FailureCode, imported: bool, advice: str) -> None:
    attempt = Attempt("v", "u", 1, "Rates", Source("https://files.example/a.mp4"), imported=imported)
    message = HopelessError(code, "There is no file.", "Check the address.").message_for(attempt)
    assert message == f"There is no file. {advice}"


def test_keys_lie_under_their_owner() -> None:
    key = claim_key("ann", 1_700_000_000_000)
    assert key == "videos/ann/1700000000000.mp4"
    assert poster_key(key) == "videos/ann/1700000000000.jpg"
    assert poster_key("videos/ann/clip.webm") == "videos/ann/clip.webm.jpg"


@pytest.mark.parametrize("key", ["videos/ann/1.mp4", "videos/ann/a/b.webm", "videos/ann/ä.mp4"])
def test_the_owners_keys_can_be_adopted(key: str) -> None:
    assert adoptable(key, "ann")


@pytest.mark.parametrize(
    "key",
    [
        "videos/bob/1.mp4",
        "videos/annabel/1.mp4",
        "videos/ann",
        "videos/ann/",
        "videos/ann/../bob/1.mp4",
        "videos/ann/./1.mp4",
        "videos/ann//1.mp4",
        "/videos/ann/1.mp4",
        "videos/ann/1.jpg",
        "videos/ann/a\\b.mp4",
        "videos/ann/a\n.mp4",
        "videos/ann/" + "x" * 1100,
        "",
    ],
)
def test_other_keys_can_not(key: str) -> None:
    assert not adoptable(key, "ann")


@pytest.mark.parametrize(
    ("in_use", "working", "deleted", "verdict"),
    [
        ("key", None, False, Verdict.KEEP),
        ("key", "another", False, Verdict.KEEP),
        (None, "mine", False, Verdict.WAIT),
        ("other", "mine", False, Verdict.WAIT),
        (None, "another", False, Verdict.ERASE),
        (None, None, False, Verdict.ERASE),
        ("other", None, False, Verdict.ERASE),
        ("key", None, True, Verdict.ERASE),
        (None, "mine", True, Verdict.ERASE),
    ],
)
def test_claims_are_judged_by_the_record(
    in_use: str | None, working: str | None, deleted: bool, verdict: Verdict
) -> None:
    assert judge_claim("key", "mine", in_use=in_use, working=working, deleted=deleted) is verdict


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0", "mp4"),
        (b"\0\0\0\x14ftypqt  ", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mov"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "mkv"),
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0\nfile /etc/passwd", None),
        (b"<?xml version='1.0'?><MPD>", None),
        (b"<html>", None),
        (b"GIF89a", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_formats_are_told_by_their_first_bytes(first: bytes, name: str | None) -> None:
    found = sniff(first)
    assert (found.name if found else None) == name
