"""What all parts of one stack have in common: its folder, who listens where, its secrets, the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.credentials import Credentials
from deploy.local.ports import LOOPBACK

REPOSITORY = Path(__file__).parents[2]
SERVICES = ("gateway", "generator", "media", "notifier")

ENGINE_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "kafka": ("KAFKA_BOOTSTRAP_SERVERS",),
    "gateway-db": ("GATEWAY_MONGO_URL",),
    "generator-db": ("GENERATOR_MONGO_URL",),
    "media-db": ("MEDIA_MONGO_URL",),
    "notifier-db": ("NOTIFIER_MONGO_URL",),
    "s3": ("S3_ENDPOINT",),
    "workflow": ("VIDEO_CREATION_WEBHOOK_URL", "GENERATE_VIDEO_WEBHOOK_URL"),
}
"""The variables that hold an engine's address. Where all are set, the real thing is used instead of an engine."""

PREFERRED_PORTS: Mapping[str, int] = {
    "gateway": 8080,
    "generator": 8081,
    "media": 8082,
    "notifier": 8083,
    "kafka": 9092,
    "kafka-controller": 9093,
    "gateway-db": 27017,
    "generator-db": 27018,
    "media-db": 27019,
    "notifier-db": 27020,
    "s3": 9000,
    "s3-metrics": 9567,
    "s3-grpc": 18333,
    "s3-master": 9333,
    "s3-master-grpc": 19333,
    "s3-volume": 9340,
    "s3-volume-grpc": 19340,
    "s3-filer": 8888,
    "s3-filer-grpc": 18888,
    "workflow": 5678,
}
"""The usual ports. `s3-metrics` is a second one the S3 gateway insists on; `kafka-controller` and the rest of `s3-` are
those of real engines."""

MONGO_OPTIONS = "directConnection=true&retryWrites=false&serverMonitoringMode=poll"
"""How clients talk to the embedded MongoDB. It calls itself a replica set; a client must not follow the address in that
past a proxy. Polling saves a second monitoring connection, which pymongo leaks when a client is closed too soon."""


REAL_ENGINES = frozenset({"kafka", "kafka3", "s3", "mongo"})
"""Engines that tests can have as the real thing, by the variable of this name; `kafka3` is `kafka` on three brokers."""

BROKERS = ("kafka-1", "kafka-2", "kafka-3")
BROKER_PORTS = tuple(name for one in BROKERS for name in (one, f"{one}-controller"))


class EngineMissing(Exception):
    """An engine's program is not installed; the text says what installs it."""


def real_address(engine: str, environ: Mapping[str, str]) -> str | None:
    """Return the address of the real thing that stands in for the engine, None where the engine is to be started."""
    addresses = [environ.get(variable, "") for variable in ENGINE_VARIABLES[engine]]
    return addresses[0] if all(addresses) else None


def parts(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the processes that make up an engine or a service: one, but for Kafka on three brokers."""
    three = name == "kafka" and "kafka3" in environ.get("REAL_ENGINES", "").split()
    return BROKERS if three else (name,)


@dataclass(frozen=True)
class Site:
    """One local stack, before anything of it runs."""

    folder: Path
    """Everything the stack writes is in here."""
    ports: Mapping[str, int]
    credentials: Credentials
    environ: Mapping[str, str]
    """What the caller's environment says; where it sets a setting, that wins over the stack's default."""
    engines: tuple[str, ...]
    """The embedded engines that are started."""
    services: tuple[str, ...] = ()
    advertised: Mapping[str, int] = field(default_factory=dict)
    """Ports that others are told for an engine instead of its own: those of a proxy in front of it."""

    @property
    def real(self) -> frozenset[str]:
        """Return which of REAL_ENGINES are started instead of embedded ones: for tests."""
        named = frozenset(self.environ.get("REAL_ENGINES", "").split())
        if unknown := named - REAL_ENGINES:
            raise EngineMissing(f"REAL_ENGINES may name {', '.join(sorted(REAL_ENGINES))}; not {', '.join(unknown)}")
        return named | {"kafka"} if "kafka3" in named else named

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the names of the processes that make up an engine or a service here."""
        return parts(name, self.environ)

    def data(self, name: str) -> Path:
        """Return the folder where the engine keeps its data."""
        return self.folder / "data" / name

    def log(self, name: str) -> Path:
        """Return the file that holds what the process writes."""
        return self.folder / "logs" / f"{name}.log"

    def own_address(self, name: str) -> str:
        """Return host:port the process listens on."""
        return f"{LOOPBACK}:{self.ports[name]}"

    def address(self, name: str) -> str:
        """Return host:port the others are told."""
        return f"{LOOPBACK}:{self.advertised.get(name, self.ports[name])}"

    def url(self, name: str) -> str:
        """Return the URL of a service or an engine, embedded or real, as its clients use it."""
        real = real_address(name, self.environ) if name in ENGINE_VARIABLES else None
        if real is not None:
            return real
        if name == "kafka":
            return ",".join(self.address(one) for one in self.parts(name))
        if name.endswith("-db"):
            return f"mongodb://{self.address(name)}/?{MONGO_OPTIONS}"
        return f"http://{self.address(name)}"


def inherited(site: Site) -> dict[str, str]:
    """Return what every process gets from the caller's environment: what is set there, and no proxy for loopback."""
    environ = {name: value for name, value in site.environ.items() if value}  # an empty one counts as not set
    unproxied = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1,localhost"]))
    return {**environ, "NO_PROXY": unproxied, "no_proxy": unproxied}


def webhook_secret(site: Site) -> str:
    """Return the secret that signs: the first of those in force."""
    return (site.environ.get("WEBHOOK_SECRETS") or site.credentials.webhook_secret).split(",")[0].strip()


def admin_token(site: Site) -> str:
    """Return the secret that /admin of every service asks for."""
    return site.environ.get("ADMIN_TOKEN") or site.credentials.admin_token


def n8n_api_key(site: Site) -> str:
    """Return the key of the embedded workflow engine's API; one that is set is meant for a real n8n beside it, too."""
    return site.environ.get("N8N_API_KEY") or site.credentials.n8n_api_key
