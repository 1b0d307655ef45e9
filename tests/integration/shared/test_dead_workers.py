"""The jobs of a process that was killed or frozen are done by another, and by that one alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from deploy.local.stack import LocalStack
from shared.delivery.leases import new_job
from tests.integration.shared.conftest import Collection
from tests.integration.shared.jobs import has, state
from tests.waiting import until


class Process:
    """A worker process of this test."""

    def __init__(self, url: str, collection: Collection) -> None:
        command = [sys.executable, "-m", "tests.integration.shared.worker_process", url, collection.name]
        self._process = subprocess.Popen(command)
        self.pid = self._process.pid

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def start(core: LocalStack, collection: Collection) -> Iterator[Callable[[], Process]]:
    """Starts worker processes that are ended with the test."""
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(core.url("media-db"), collection))
        return started[-1]

    yield start
    for process in started:
        process.end()


async def test_work_of_a_killed_process_is_taken_over(collection: Collection, start: Callable[[], Process]) -> None:
    victim = start()
    await collection.insert_one({"_id": "a", "job": new_job("x")})
    await until(has(collection, began=[victim.pid]))
    successor = start()
    victim.end()
    await until(has(collection, began=[victim.pid, successor.pid]))
    await collection.update_one({"_id": "a"}, {"$set": {"go": True}})
    await until(has(collection, ended=[successor.pid]))


async def test_a_frozen_worker_changes_nothing_when_it_wakes(
    collection: Collection, start: Callable[[], Process]
) -> None:
    frozen = start()
    await collection.insert_one({"_id": "a", "job": new_job("x")})
    await until(has(collection, began=[frozen.pid]))
    os.kill(frozen.pid, signal.SIGSTOP)
    successor = start()
    await until(has(collection, began=[frozen.pid, successor.pid]))
    await collection.update_one({"_id": "a"}, {"$set": {"go": True}})
    await until(has(collection, ended=[successor.pid]))

    successor.end()

    settled = await state(collection)
    os.kill(frozen.pid, signal.SIGCONT)
    await collection.insert_one({"_id": "b", "job": new_job("x"), "go": True})
    await until(lambda: _ended_by(collection, "b", frozen.pid))  # it is awake, and met the end of its lease
    assert await state(collection) == settled


async def _ended_by(collection: Collection, document_id: str, pid: int) -> bool:
    return (await state(collection, document_id)).get("ended") == [pid]
