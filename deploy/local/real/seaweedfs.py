"""SeaweedFS: an S3 store of four servers (master, volumes, filer, S3 gateway) in one process."""

import sys
from functools import partial
from pathlib import Path

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.site import EngineMissing, Site, inherited

PARTS = ("master", "volume", "filer")


def seaweedfs(site: Site) -> Program:
    """Return the S3 store. Raises EngineMissing."""
    binary = Path(sys.executable).with_name("weed")
    if not binary.exists():
        raise EngineMissing("SeaweedFS is not here: it takes `make test-engines`, which installs it")
    folder = site.data("s3")
    return Program(
        name="s3",
        argv=[str(binary), "-logtostderr", "server", f"-dir={folder}", "-filer", "-s3", *_options(), *_ports(site)],
        env=inherited(site)
        | {
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": site.credentials.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": site.credentials.s3_secret_key,
            "GOMEMLIMIT": "512MiB",
            # One file per bucket instead of seven: the disk of tests is small at times.
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
        },
        folder=folder,
        url=site.url("s3"),
        check=partial(ready.s3, site.own_address("s3"), site.credentials),
        grace_seconds=20,
    )


def _options() -> list[str]:
    return [
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.electionTimeout=1s"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=100", "-volume.minFreeSpace=1", "-volume.preStopSeconds=0"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"),  # not in /tmp
    ]


def _ports(site: Site) -> list[str]:
    """Return two ports for each part. By itself it adds 10,000 to one for the other, which may be taken."""
    names = {"s3": "s3", **{part: f"s3-{part}" for part in PARTS}}
    return [
        option
        for part, name in names.items()
        for option in (f"-{part}.port={site.ports[name]}", f"-{part}.port.grpc={site.ports[f'{name}-grpc']}")
    ]
