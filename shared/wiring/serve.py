"""Serves one application until it is told to stop, or breaks; then stops it in order."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

GRACEFUL_SECONDS = 8
UNREAD_SECONDS = 60

BROKEN = signal.SIGUSR1
"""What a process sends itself where it can't go on: it stops in order, and its exit code is 1."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which ends a clean stop by killing the process with the same signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


def serve(app: ASGIApp, host: str, port: int, *, on_stop: Callable[[], None]) -> NoReturn:
    """Serve `app` on host:port until SIGTERM, SIGINT or BROKEN; then end this process, with 1 after the last one.

    `on_stop` is called at the signal, before open connections are waited for.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=30,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        broken = runner.run(_serve(_Server(config), _listen(config), on_stop))
        _end_process(int(broken))


def _end_process(code: int) -> NoReturn:
    """End it now, by which all that must be kept is: a common exit waits for every thread.

    And one may wait on for a storage or a name server that is silent, longer than a stop may take.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _listen(config: uvicorn.Config) -> socket.socket:
    """Bind; connections whose peer vanished, or takes nothing any more, are dropped by the system after a while."""
    listening = config.bind_socket()
    listening.set_inheritable(False)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    return listening


async def _serve(server: _Server, listening: socket.socket, on_stop: Callable[[], None]) -> bool:
    """Return whether it ended because the process was broken."""
    received: set[signal.Signals] = set()

    def stop(told_by: signal.Signals) -> None:
        received.add(told_by)
        on_stop()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, BROKEN):
        loop.add_signal_handler(number, stop, number)
    await server.serve(sockets=[listening])
    return BROKEN in received
