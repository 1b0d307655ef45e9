"""Which port each process listens on: that of the last run or the usual one where they are free, else a free one."""

import atexit
import json
import random
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path

LOOPBACK = "127.0.0.1"
_FIRST, _LAST, _BLOCK = 15_000, 32_000, 250

_reserved = ExitStack()
atexit.register(_reserved.close)


class PortTaken(Exception):
    """A port that was asked for by name is in use."""


def choose_ports(
    held: ExitStack,
    usual: Mapping[str, int],
    fixed: Mapping[str, int] | None = None,
    last: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return a free loopback port for every name: its last one, else its usual one, else the nearest free one above.

    Until `held` is closed nobody else is given them by this module: another stack that starts meanwhile, or while
    one of this stack's processes is down, takes other ones. Ports in `fixed` are taken as they are: PortTaken if one is
    in use. The last and the usual ports that are free go to their owners before any replacement is looked for, so one
    taken port does not move its neighbours.
    """
    fixed, last = fixed or {}, last or {}
    chosen = {}
    for name, port in fixed.items():
        if not _hold(held, port):
            raise PortTaken(f"port {port}, set for {name}, is in use")
        chosen[name] = port
    for wanted in (last, usual):
        for name in usual:
            if name not in chosen and name in wanted and _hold(held, wanted[name]):
                chosen[name] = wanted[name]
    for name, port in usual.items():
        if name not in chosen:
            chosen[name] = _next_free(held, port)
    return chosen


def last_ports(file: Path) -> dict[str, int]:
    """Return the ports of the last run, which it wrote to the file; none before the first.

    Others keep addresses beyond a run: unfinished videos where they call back, finished ones where they are fetched.
    """
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    return ports


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Return a free loopback port for every name that no other process is given by this: tests run side by side."""
    with ExitStack() as held:
        return {name: _own_free(held) for name in names}


def free_port() -> int:
    """Return one such port."""
    return free_ports(["it"])["it"]


def _hold(held: ExitStack, port: int) -> bool:
    """Keep the port, if nobody listens there, from all who would hold it before `held` is closed.

    The port itself can't be kept: whom it is chosen for has yet to listen there, and does so anew after each fall. A
    name in Linux's abstract namespace stands for it, which ends with this process.
    """
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mark.bind(f"\0reelway/port/{port}")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            probe.listen(1)  # merely bound ones share the port with each other
    except OSError:
        mark.close()
        return False
    held.enter_context(mark)
    return True


def _next_free(held: ExitStack, after: int) -> int:
    for port in range(after + 1, min(after + 200, 65_536)):
        if _hold(held, port):
            return port
    return _own_free(held)


def _own_free(held: ExitStack) -> int:
    for port in _own_ports():
        if _hold(held, port):
            return port
    raise PortTaken("no free port found on 127.0.0.1")


def _own_ports() -> Iterator[int]:
    """Return the ports that this process alone gives away, each once, those first that were given away longest ago."""
    own = _own_block()
    for _ in range(len(own)):
        own.rotate(-1)
        yield own[-1]


@cache
def _own_block() -> deque[int]:
    """Reserve a block of ports for as long as this process lives, by holding its first one.

    A free port is only free until somebody else finds it so: before whom it was chosen for listens there, or while
    that one is stopped and started again.
    """
    # Never one of the ports the kernel hands to outgoing connections: a process that is killed and started again
    # on its port would sometimes find a client's socket sitting there.
    last = min(_LAST, _first_outgoing_port() - 1)
    blocks = list(range(min(_FIRST, last - 1_000), last - _BLOCK, _BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        if _hold(_reserved, first):
            return deque(range(first + 1, first + _BLOCK))
    raise PortTaken("no free block of ports found on 127.0.0.1")


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768
