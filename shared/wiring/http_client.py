"""The client every service calls others with."""

import traceback
from typing import Any

import httpx


class HttpClient(httpx.AsyncClient):
    """An httpx client that takes no proxy from the environment, and whose failures to connect are all ConnectError."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trust_env=False, **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send as httpx does. Raises httpx.HTTPError."""
        try:
            return await super().send(request, **options)
        except AttributeError as error:
            # anyio asks a connection that is reset as soon as it is made for an address that it no longer has.
            if not _while_connecting(error):
                raise
            raise httpx.ConnectError("The connection was reset as soon as it was made.", request=request) from error


def _while_connecting(error: AttributeError) -> bool:
    return any(frame.f_code.co_name == "connect_tcp" for frame, _ in traceback.walk_tb(error.__traceback__))
