"""The client every service calls others with."""

import traceback
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import Any

import httpx


class HttpClient(httpx.AsyncClient):
    """An httpx client that takes no proxy from the environment, and whose failures are all httpx's own.

    anyio asks a connection that was reset a moment ago for an address that it no longer has, and fails at that.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(trust_env=False, **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send as httpx does. Raises httpx.HTTPError: ConnectError only where nothing was sent."""
        try:
            return await super().send(request, **options)
        except AttributeError as error:
            way = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
            if way[-1].co_name != "extra_attributes":
                raise
            if _while_connecting(way):
                raise httpx.ConnectError("The connection was reset as soon as it was made.", request=request) from error
            raise httpx.ReadError("The connection was lost.", request=request) from error


def _while_connecting(way: list[CodeType]) -> bool:
    """Return whether this way to a failure passed where a connection is made, or looked at for the first time."""
    if any(step.co_name == "connect_tcp" for step in way):
        return True
    askers = (step for step, asked in pairwise(way) if asked.co_name == "get_extra_info")
    return any(Path(asker.co_filename).name == "connection.py" for asker in askers)
