import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.ports import PortTaken, free_port, free_ports, last_ports
from deploy.local.private_file import write_private


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener.getsockname()[1]


def choose_ports(*ports_of: dict[str, int], **more: dict[str, int]) -> dict[str, int]:
    with ExitStack() as held:
        return ports.choose_ports(held, *ports_of, **more)


def test_the_usual_port_is_used_where_it_is_free() -> None:
    port = free_port()
    assert choose_ports({"gateway": port}) == {"gateway": port}


def test_a_taken_port_moves_its_owner_and_no_neighbour(taken: int) -> None:
    chosen = choose_ports({"gateway": taken, "generator": taken + 1})
    assert chosen["generator"] == taken + 1
    assert chosen["gateway"] > taken + 1


def test_the_same_replacement_is_chosen_each_time(taken: int) -> None:
    assert choose_ports({"gateway": taken}) == choose_ports({"gateway": taken})


def test_another_stack_gets_other_ports_though_nobody_listens_there_yet() -> None:
    port = free_port()
    with ExitStack() as held:
        assert ports.choose_ports(held, {"gateway": port}) == {"gateway": port}
        elsewhere = (
            "from contextlib import ExitStack; from deploy.local.ports import choose_ports;"
            f"print(choose_ports(ExitStack(), dict(gateway={port}))['gateway'])"
        )
        other = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, check=True, text=True)
        assert int(other.stdout) > port
        with pytest.raises(PortTaken):
            choose_ports({}, {"gateway": port})
    assert choose_ports({"gateway": port}) == {"gateway": port}, "given back at the end"


def test_a_port_held_on_all_addresses_counts_as_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", free_port()))  # noqa: S104
        listener.listen()
        port = listener.getsockname()[1]
        assert choose_ports({"gateway": port})["gateway"] != port


def test_a_port_fixed_by_hand_is_kept_or_refused(taken: int) -> None:
    port = free_port()
    assert choose_ports({"gateway": 1}, {"gateway": port}) == {"gateway": port}
    with pytest.raises(PortTaken, match=f"{taken}, set for gateway"):
        choose_ports({"gateway": 1}, {"gateway": taken})


def test_the_port_of_the_last_run_comes_before_the_usual_one_where_it_is_free(taken: int) -> None:
    usual, last = free_ports("ab").values()
    assert choose_ports({"gateway": usual}, last={"gateway": last}) == {"gateway": last}
    assert choose_ports({"gateway": usual}, last={"gateway": taken}) == {"gateway": usual}
    assert choose_ports({"gateway": 1}, {"gateway": usual}, {"gateway": last}) == {"gateway": usual}, "fixed by hand"


def test_a_last_port_that_is_anothers_usual_one_stays_with_its_owner() -> None:
    port = free_port()
    chosen = choose_ports({"gateway": free_port(), "media": port}, last={"gateway": port, "gone": free_port()})
    assert chosen["gateway"] == port
    assert chosen["media"] > port
    assert set(chosen) == {"gateway", "media"}


def test_before_the_first_run_there_are_no_last_ports(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    assert last_ports(file) == {}
    write_private(file, {"gateway": 8084})
    assert last_ports(file) == {"gateway": 8084}


def test_free_ports_differ_and_are_none_the_kernel_gives_to_clients() -> None:
    ports = free_ports(str(number) for number in range(20))
    assert len(set(ports.values())) == 20
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        assert max(ports.values()) < int(file.read().split()[0])


def test_no_two_processes_are_given_the_same_port_though_nobody_listens_there_yet() -> None:
    many = "from deploy.local.ports import free_ports; print(sorted(free_ports(map(str, range(100))).values()))"
    mine = {free_port() for _ in range(200)}
    other = subprocess.run([sys.executable, "-c", many], capture_output=True, check=True, text=True)
    assert not mine & set(json.loads(other.stdout))


def test_a_port_is_not_given_away_again_soon() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == 200
