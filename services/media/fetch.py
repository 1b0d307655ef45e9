"""HTTP GET to strangers: connects to the vetted address itself, follows redirects only through the guard.

Proxies from the environment, cookies and credentials play no part here. Whoever drips is cut off: a byte now and then
keeps a connection alive for ever, and the place of a transfer with it.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from urllib.parse import urljoin

from services.media.domain import HopelessError, UnreachableError
from services.media.guard import Destination, Guard
from services.media.stopping import Stop, limited
from shared.contracts.videos import FailureCode

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "Reelway/1.0 (video import)", "Accept": "video/*, */*;q=0.8", "Accept-Encoding": "identity"}


class Pace:
    """How fast a body comes, over each `window_seconds` of waiting for it; what is done with it takes its own time."""

    def __init__(self, slowest: int, window_seconds: float) -> None:
        self.window_seconds = window_seconds
        self._slowest = slowest
        self._bytes = 0
        self._seconds = 0.0

    def add(self, size_bytes: int, seconds: float) -> None:
        """Count bytes that were waited for so long. Raises UnreachableError where they came too slowly all along."""
        self._bytes += size_bytes
        self._seconds += seconds
        if self._seconds < self.window_seconds:
            return
        if self._bytes < self._slowest * self._seconds:
            raise next_to_nothing()
        self._bytes, self._seconds = 0, 0.0


def next_to_nothing() -> UnreachableError:
    """Return the end of a try whose source gave less than it must."""
    return UnreachableError("The video's server sends next to nothing.", "Use a faster address, or retry later.")


class Response:
    """One answer, its body not yet read. Close it."""

    def __init__(
        self, response: http.client.HTTPResponse, connection: socket.socket, pace: Pace, held: ExitStack
    ) -> None:
        self._response = response
        self._connection = connection
        self._pace = pace
        self._held = held
        self.status = response.status
        self.headers = response.headers
        self.size_bytes: int | None = response.length

    def read(self, most_bytes: int) -> bytes:
        """Return what has arrived, up to `most_bytes`; b"" at the end.

        Raises OSError or HTTPException, or UnreachableError where next to nothing comes.
        """
        began = time.monotonic()
        with self._limit():
            block = self._response.read1(most_bytes)
        self._pace.add(len(block), time.monotonic() - began)
        return block

    def _limit(self) -> AbstractContextManager[None]:
        """Return the limit of one read: what stands between chunks may drip too, and is no byte of the file."""
        return limited(self._connection, self._pace.window_seconds) if self._response.chunked else nullcontext()

    def close(self) -> None:
        """Close the connection, whatever is left unread."""
        self._held.close()


class Fetcher:
    """Sends GET requests to addresses the guard lets through, and asks for `slowest` bytes a second at least.

    Blocks: for threads only.
    """

    def __init__(
        self, guard: Guard, *, connect_seconds: float, read_seconds: float, slowest: int, most_redirects: int
    ) -> None:
        self._guard = guard
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self.slowest = slowest
        self._most_redirects = most_redirects
        self._tls = ssl.create_default_context()

    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Response:
        """Return the answer at the end of all redirects, which have the time of one answer in all.

        Raises HopelessError, UnreachableError or StoppedError.
        """
        until = time.monotonic() + self._connect_seconds + self._read_seconds
        for _ in range(self._most_redirects + 1):
            response = self._get_once(self._guard.vet(url), headers, stop, until)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location")
            response.close()
            if not location:
                what = "The video's server redirects to nowhere."
                raise HopelessError(FailureCode.SOURCE_REFUSED, what, "Use the address of the file itself.")
            url = _joined(url, _as_sent(location))
        what = "The video's address redirects too many times."
        raise HopelessError(FailureCode.SOURCE_REFUSED, what, "Use the address of the file itself.")

    def _get_once(self, place: Destination, headers: Mapping[str, str], stop: Stop, until: float) -> Response:
        problem: Exception | None = None
        for address in place.addresses:
            stop.check()
            try:
                return self._ask(place, address, headers, stop, until)
            except ssl.SSLCertVerificationError as error:
                what = "The video's server has no valid certificate."
                raise HopelessError(FailureCode.SOURCE_REFUSED, what, "Use another address.") from error
            except (OSError, http.client.HTTPException) as error:
                problem = error
        stop.check()
        answered = isinstance(problem, http.client.HTTPException) and not isinstance(problem, OSError)
        what = "does not answer as a web server does" if answered else "can't be reached"
        raise UnreachableError(f"The video's server {what}.", "Check the address, then retry.") from problem

    def _ask(self, place: Destination, address: str, headers: Mapping[str, str], stop: Stop, until: float) -> Response:
        with ExitStack() as held:
            connection = http.client.HTTPConnection(place.host, place.port)
            connected = connection.sock = held.enter_context(self._connected(place, address, stop))
            connection.auto_open = 0
            held.enter_context(stop.waking(connected))
            connection.request("GET", place.target, headers={"Host": place.host_header, **_HEADERS, **headers})
            with limited(connected, min(self._read_seconds, until - time.monotonic())):
                response = held.enter_context(connection.getresponse())
            return Response(response, connected, Pace(self.slowest, self._read_seconds), held.pop_all())

    def _connected(self, place: Destination, address: str, stop: Stop) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(self._connect_seconds)
            with stop.waking(plain):
                plain.connect((address, place.port))
                secured = self._secured(plain, place)
            secured.settimeout(self._read_seconds)
            return secured
        except BaseException:
            plain.close()
            raise

    def _secured(self, plain: socket.socket, place: Destination) -> socket.socket:
        if place.scheme == "http":
            return plain
        return self._tls.wrap_socket(plain, server_hostname=place.host)


def _as_sent(header: str) -> str:
    """Return a header's value with the UTF-8 that some servers put there, which the parser reads as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        what = "The video's server redirects to an address that is not valid."
        raise HopelessError(FailureCode.SOURCE_REFUSED, what) from error
