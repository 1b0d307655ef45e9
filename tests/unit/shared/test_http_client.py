import httpcore
import httpx
import pytest
from anyio.abc import SocketStream
from httpcore._async import connection, http11
from httpcore._backends.anyio import AnyIOStream

from shared.wiring.http_client import HttpClient


class Reset:
    """A connection whose socket is gone, as uvloop has it after a reset."""

    extra_attributes = SocketStream.extra_attributes
    extra = SocketStream.extra
    _raw_socket = None


class Broken(httpx.AsyncBaseTransport):
    """Fails as a transport of httpx does at one of its steps."""

    def __init__(self, step: str) -> None:
        self._step = step

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await getattr(self, self._step)()
        raise NotImplementedError

    async def connect_tcp(self) -> None:
        AnyIOStream(Reset()).get_extra_info("ssl_object")  # type: ignore[arg-type]

    async def first_look(self) -> None:
        made = connection.AsyncHTTPConnection(httpcore.Origin(b"http", b"n8n.example", 80))

        async def connect(_: object) -> AnyIOStream:
            return AnyIOStream(Reset())  # type: ignore[arg-type]

        made._connect = connect  # type: ignore[method-assign, assignment]
        await made.handle_async_request(httpcore.Request("GET", "http://n8n.example"))

    async def later(self) -> None:
        origin = httpcore.Origin(b"http", b"n8n.example", 80)
        used = http11.AsyncHTTP11Connection(origin, AnyIOStream(Reset()))  # type: ignore[arg-type]
        used._state = http11.HTTPConnectionState.IDLE
        used.has_expired()

    async def bug(self) -> None:
        raise AttributeError("a bug")


@pytest.mark.parametrize(
    ("step", "failure"),
    [("connect_tcp", httpx.ConnectError), ("first_look", httpx.ConnectError), ("later", httpx.ReadError)],
)
async def test_a_connection_that_was_reset_is_a_failure_of_httpx(step: str, failure: type[Exception]) -> None:
    async with HttpClient(transport=Broken(step)) as client:
        with pytest.raises(httpx.TransportError) as raised:
            await client.get("http://n8n.example")
    assert raised.type is failure


async def test_a_bug_elsewhere_stays_one() -> None:
    async with HttpClient(transport=Broken("bug")) as client:
        with pytest.raises(AttributeError, match="a bug"):
            await client.get("http://n8n.example")
