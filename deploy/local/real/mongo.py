"""The nearest thing to mongod that package registries have: SecantusDB's server in Rust, one for each service.

It stores with mongod's own engine (WiredTiger), but is another program; the embedded one is written in Python.
"""

from functools import partial

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.site import MONGO_OPTIONS, REPOSITORY, EngineMissing, Site, inherited

BINARY = REPOSITORY / ".cache" / "secantus" / "bin" / "secantusd-rs"


def mongo(site: Site, name: str) -> Program:
    """Return the database of one service. Every acknowledged write is on the disk. Raises EngineMissing."""
    if not BINARY.exists():
        raise EngineMissing("SecantusDB's server is not here: it takes Rust and `make test-engines`, which builds it")
    host, port = site.own_address(name).split(":")
    folder = site.data(name)
    return Program(
        name=name,
        argv=[
            *(str(BINARY), "--host", host, "--port", port, "--storage-path", str(folder / "wiredtiger")),
            *("--sync-on-commit", "--cache-size", "256M", "--log-level", "WARNING"),
        ],
        env=inherited(site) | {"HOME": str(folder)},
        folder=folder,
        url=site.url(name),
        check=partial(ready.mongo, f"mongodb://{site.own_address(name)}/?{MONGO_OPTIONS}"),
        grace_seconds=10,
    )
