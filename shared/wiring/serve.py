"""Serves one application until SIGTERM or SIGINT, then stops it in order and returns."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

GRACEFUL_SECONDS = 8


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which ends a clean stop by killing the process with the same signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


def serve(app: ASGIApp, host: str, port: int, *, on_stop: Callable[[], None]) -> None:
    """Serve `app` on host:port; blocks. `on_stop` is called at the signal, before open connections are waited for."""
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
        runner.run(_serve(_Server(config), on_stop))


async def _serve(server: _Server, on_stop: Callable[[], None]) -> None:
    def stop() -> None:
        on_stop()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop)
    await server.serve()
