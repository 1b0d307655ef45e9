"""Starts the engine: `python -m deploy.local.workflow`. Prints its address once it listens; SIGTERM ends it."""

import asyncio
import logging
import signal
import socket

import uvicorn

from deploy.local.workflow.server import build_app
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.webhooks import ConnectionCut
from shared.wiring.environment import settings_or_exit
from shared.wiring.logging import configure_logging

_GRACE_SECONDS = 1


class _ExpectedCuts(logging.Filter):
    """Keeps answers that were cut on purpose, or by our own stop, out of the log: the server takes them for crashes."""

    def filter(self, record: logging.LogRecord) -> bool:
        problem = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(problem, (ConnectionCut, asyncio.CancelledError))


def main() -> None:
    """Serve until SIGTERM or SIGINT, then exit with status 0."""
    settings = settings_or_exit(WorkflowSettings)
    configure_logging("workflow", settings.log_level, settings.log_format)
    logging.getLogger("uvicorn.error").addFilter(_ExpectedCuts())
    listener = socket.create_server((settings.host, settings.port))
    address = f"http://{settings.host}:{listener.getsockname()[1]}"
    app = build_app(settings, settings.public_url or address)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS, timeout_keep_alive=30
    )
    # The server raises the signal that stopped it once more when it is done; being stopped is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    print(f"workflow engine listens on {address}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
