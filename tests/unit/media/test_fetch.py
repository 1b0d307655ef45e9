"""A source that drips: a byte now and then does not keep a transfer's place."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from services.media.domain import HopelessError, UnreachableError
from services.media.fetch import Fetcher, Pace
from services.media.guard import Guard
from services.media.stopping import Stop

READ_SECONDS = 0.4
CONNECT_SECONDS = 0.6
DRIP_SECONDS = 0.05
LONGEST_SECONDS = 10 * READ_SECONDS

FULL = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
DRIPPED = {
    "status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"x"),
    "body": (FULL + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "body of no length": (FULL + b"\r\n", b"x"),
    "between chunks": (FULL + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
}


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"


def drip(server: socket.socket, first: bytes, then: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        try:
            for block in itertools.chain([first], itertools.repeat(then)):
                connection.sendall(block)
                time.sleep(DRIP_SECONDS)
        except OSError:
            return  # cut off, as it should be


def fetcher(slowest: int = 4096, read_seconds: float = READ_SECONDS) -> Fetcher:
    return Fetcher(
        Guard(("127.0.0.0/8",), ()),
        connect_seconds=CONNECT_SECONDS,
        read_seconds=read_seconds,
        slowest=slowest,
        most_redirects=5,
    )


def read_all(source: Fetcher, url: str) -> None:
    response = source.get(url, {}, Stop())
    try:
        while response.read(1000):
            pass
    finally:
        response.close()


@pytest.mark.parametrize("where", DRIPPED)
def test_one_that_drips_is_cut_off(server: socket.socket, where: str) -> None:
    dripping = threading.Thread(target=drip, args=(server, *DRIPPED[where]))
    dripping.start()
    began = time.monotonic()
    try:
        with pytest.raises((UnreachableError, TimeoutError)):
            read_all(fetcher(), url_of(server))
        assert time.monotonic() - began < LONGEST_SECONDS
    finally:
        dripping.join()


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", FULL + b"X: y\r\n" * 200 + b"\r\n"])
def test_what_answers_but_not_as_web_servers_do_is_not_said_to_be_out_of_reach(
    server: socket.socket, answer: bytes
) -> None:
    def speak() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    speaking = threading.Thread(target=speak)
    speaking.start()
    try:
        with pytest.raises(UnreachableError, match="does not answer as a web server"):
            fetcher(read_seconds=5.0).get(url_of(server), {}, Stop())
    finally:
        speaking.join()


def test_only_the_time_that_is_waited_counts() -> None:
    pace = Pace(slowest=100, window_seconds=10)
    for _ in range(100):
        pace.add(100, 1)
    pace.add(100, 9)
    with pytest.raises(UnreachableError):
        pace.add(100, 1)


def test_every_window_counts_for_itself() -> None:
    pace = Pace(slowest=100, window_seconds=10)
    pace.add(1_000_000, 10)
    with pytest.raises(UnreachableError):
        pace.add(999, 10)


def redirect(server: socket.socket, asked: list[bytes], locations: list[bytes], after_seconds: float) -> None:
    """Answer one request after the other with a redirect, and then with a file."""
    for location in (*locations, b""):
        try:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(4096).partition(b"\r\n")[0])
                time.sleep(after_seconds)
                status = b"HTTP/1.1 302 Found\r\nLocation: " + location if location else b"HTTP/1.1 200 OK"
                connection.sendall(status + b"\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return  # cut off


@pytest.fixture
def redirected(server: socket.socket) -> Iterator[Callable[..., list[bytes]]]:
    """Has redirects answered to these locations, and returns the list that the requests' first lines come to."""
    threads = []

    def begin(*locations: bytes, after_seconds: float = 0.0) -> list[bytes]:
        asked: list[bytes] = []
        threads.append(threading.Thread(target=redirect, args=(server, asked, list(locations), after_seconds)))
        threads[0].start()
        return asked

    yield begin
    server.shutdown(socket.SHUT_RDWR)
    threads[0].join()


def test_a_redirect_is_read_as_the_utf_8_that_it_was_sent_in(
    server: socket.socket, redirected: Callable[..., list[bytes]]
) -> None:
    asked = redirected("/é文.mp4".encode(), b"/\xe9.mp4")
    fetcher().get(url_of(server), {}, Stop()).close()
    assert asked[1:] == [b"GET /%C3%A9%E6%96%87.mp4 HTTP/1.1", b"GET /%C3%A9.mp4 HTTP/1.1"]


def test_all_redirects_together_have_the_time_of_one_answer(
    server: socket.socket, redirected: Callable[..., list[bytes]]
) -> None:
    asked = redirected(*[b"/next"] * 5, after_seconds=CONNECT_SECONDS)
    with pytest.raises(UnreachableError):
        fetcher(read_seconds=1.5 * CONNECT_SECONDS).get(url_of(server), {}, Stop())
    assert len(asked) == 3


def test_a_redirect_to_nowhere_is_not_tried_again(
    server: socket.socket, redirected: Callable[..., list[bytes]]
) -> None:
    asked = redirected(b" ")
    with pytest.raises(HopelessError, match="redirects to nowhere"):
        fetcher().get(url_of(server), {}, Stop())
    assert len(asked) == 1
