import httpx
import pytest

from shared.wiring.http_client import HttpClient


class Broken(httpx.AsyncBaseTransport):
    """Fails as anyio does where a connection is reset as soon as it is made, or somewhere else."""

    def __init__(self, *, connecting: bool) -> None:
        self._connecting = connecting

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await (self.connect_tcp() if self._connecting else self.read())
        raise NotImplementedError

    async def connect_tcp(self) -> None:
        raise AttributeError("'NoneType' object has no attribute 'getpeername'")

    async def read(self) -> None:
        raise AttributeError("a bug")


async def test_a_connection_reset_as_soon_as_it_is_made_is_a_failure_to_connect() -> None:
    async with HttpClient(transport=Broken(connecting=True)) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://n8n.example")


async def test_a_bug_elsewhere_stays_one() -> None:
    async with HttpClient(transport=Broken(connecting=False)) as client:
        with pytest.raises(AttributeError, match="a bug"):
            await client.get("http://n8n.example")
