"""A thread that waits on a silent peer can be stopped."""

import socket
import threading

import pytest

from services.media.stopping import Stop, StoppedError


def test_a_wait_on_a_connection_is_woken() -> None:
    here, there = socket.socketpair()
    stop, waiting, ended = Stop(), threading.Event(), threading.Event()

    def read() -> None:
        with stop.waking(here):
            waiting.set()
            here.recv(1)
        ended.set()

    with here, there:
        reader = threading.Thread(target=read)
        reader.start()
        assert waiting.wait(5)
        stop.stop()
        assert ended.wait(5)
        reader.join()


def test_nothing_begins_after_the_stop() -> None:
    stop = Stop()
    stop.check()
    stop.pause(0)
    stop.stop()
    with pytest.raises(StoppedError):
        stop.check()
    with pytest.raises(StoppedError):
        stop.pause(60)
    here, there = socket.socketpair()
    with here, there, pytest.raises(StoppedError), stop.waking(here):
        pytest.fail("must not get here")
