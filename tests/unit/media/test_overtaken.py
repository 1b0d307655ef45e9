"""A transfer that a newer attempt takes the place of: the timeline says that it was given up."""

from typing import cast

import pytest

from services.media import answers
from services.media.claims import Claims
from services.media.domain import Attempt, Source
from services.media.store import Assets, attempt_of
from services.media.workflow import Workflow
from shared.contracts.events import Event, TransferNoted, TransferStarted
from shared.delivery.workers import Workers
from tests.unit.collection import Memory, Post
from tests.unit.turns import Run

VIDEO, URL = "ann_1", "https://files.example.com/a.mp4?token=geheim"


class AtWork:
    """Media whose workers are the test."""

    def __init__(self) -> None:
        self.memory, self.told = Memory(), list[Event]()
        self.post = Post(self.memory)
        assets, claims = Assets(self.memory.collection, self.post), Claims(Memory().collection)
        self.workflow = Workflow(assets, claims, cast("Workers", self))

    def wake(self) -> None:
        """Be the workers."""

    def moving(self, number: int) -> Run:
        attempt = Attempt(VIDEO, "ann", number, "Rates", Source(video_url=URL), adopted=number == 1)
        return Run(self.workflow.move(attempt))

    def begin(self) -> None:
        lease = self.memory.claim(VIDEO)
        assert lease is not None
        begun = self.post.carry({"$set": {"deadlineAt": 1}}, answers.started(attempt_of(lease.document)))
        Run(lease.write(begun)).finish()

    def notes(self) -> list[TransferNoted]:
        self.told += self.post.taken()
        return [event for event in self.told if isinstance(event, TransferNoted)]


def test_what_another_attempt_takes_the_place_of_is_noted_once() -> None:
    media = AtWork()
    media.moving(1).finish()
    media.begin()
    for _ in range(2):
        media.moving(2).finish()
    (note,) = media.notes()
    assert [type(event) for event in media.told] == [TransferStarted, TransferNoted]
    assert (note.attempt, note.code) == (1, "transfer.given_up")
    assert note.message == "Fetching and storing the file was given up, because another attempt began."
    assert "geheim" not in note.model_dump_json()


def test_what_was_not_begun_is_not_given_up() -> None:
    media = AtWork()
    for number in (1, 2):
        media.moving(number).finish()
    assert media.notes() == []


@pytest.mark.parametrize("turns", range(3))
def test_it_is_noted_also_where_it_begins_while_the_other_takes_its_place(turns: int) -> None:
    media = AtWork()
    media.moving(1).finish()
    second = media.moving(2)
    for _ in range(turns):
        second.step()
    if media.memory.documents[VIDEO]["attempt"] == 1:
        media.begin()
        second.finish()
        assert [note.attempt for note in media.notes()] == [1]
