from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.credentials import Credentials
from deploy.local.engines import engine
from deploy.local.services import service, settings
from deploy.local.site import (
    BROKER_PORTS,
    BROKERS,
    ENGINE_VARIABLES,
    PREFERRED_PORTS,
    SERVICES,
    EngineMissing,
    Site,
    real_address,
    webhook_secret,
)
from deploy.local.stack import LocalStack

REAL = {variable: f"real-{variable}" for variables in ENGINE_VARIABLES.values() for variable in variables}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, PREFERRED_PORTS, Credentials(), {}, tuple(ENGINE_VARIABLES), SERVICES)


def with_environ(site: Site, **environ: str) -> Site:
    engines = tuple(name for name in ENGINE_VARIABLES if not real_address(name, environ))
    return Site(site.folder, site.ports, site.credentials, environ, engines, site.services)


def test_every_service_hears_where_the_engines_are(site: Site) -> None:
    for name in SERVICES:
        assert settings(site, name)["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:9092"
        assert settings(site, name)["KAFKA_IDEMPOTENCE"] == "false"
    assert settings(site, "generator")["GENERATE_VIDEO_WEBHOOK_URL"].startswith("http://127.0.0.1:5678/")
    assert settings(site, "media")["S3_ENDPOINT"] == "http://127.0.0.1:9000"


def test_who_is_sent_to_a_database_of_the_callers_own_says_so_where_it_does_not_start(site: Site) -> None:
    theirs = with_environ(
        site, GATEWAY_MONGO_URL="mongodb://elsewhere", VIDEO_CREATION_WEBHOOK_URL="http://n8n/webhook/a"
    )
    assert "GATEWAY_MONGO_URL" in service(theirs, "gateway").hint
    assert [service(theirs, "media").hint, service(site, "gateway").hint] == ["", ""]


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_hears_of_anothers_database(site: Site, name: str) -> None:
    for one in (site, with_environ(site, **REAL)):
        databases = {variable for variable in settings(one, name) if variable.endswith("_MONGO_URL")}
        assert databases == {f"{name.upper()}_MONGO_URL"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_real_is_used_as_it_is(site: Site, name: str) -> None:
    real = with_environ(site, **REAL)
    assert real.engines == ()
    given = settings(real, name)
    assert given["KAFKA_BOOTSTRAP_SERVERS"] == "real-KAFKA_BOOTSTRAP_SERVERS"
    assert given["S3_ENDPOINT"] == "real-S3_ENDPOINT"
    assert "S3_SECRET_KEY" not in given
    assert "KAFKA_IDEMPOTENCE" not in given
    assert real.url("s3") == "real-S3_ENDPOINT"


def test_the_generator_has_the_key_of_the_embedded_workflow_engine_and_of_no_other(site: Site) -> None:
    key = site.credentials.n8n_api_key
    assert engine(site, "workflow").env["WORKFLOW_API_KEY"] == settings(site, "generator")["N8N_API_KEY"] == key
    assert "N8N_API_KEY" not in settings(site, "media")
    own = with_environ(site, N8N_API_KEY="own")
    assert engine(own, "workflow").env["WORKFLOW_API_KEY"] == settings(own, "generator")["N8N_API_KEY"] == "own"
    assert "N8N_API_KEY" not in settings(with_environ(site, **REAL), "generator")


def test_each_engine_can_be_replaced_on_its_own(site: Site) -> None:
    mixed = with_environ(site, S3_ENDPOINT="http://store:9000", S3_SECRET_KEY="theirs")
    assert mixed.engines == tuple(name for name in ENGINE_VARIABLES if name != "s3")
    assert settings(mixed, "media")["S3_SECRET_KEY"] == "theirs"


def test_with_one_webhook_address_set_the_engine_serves_the_other(site: Site) -> None:
    mixed = with_environ(site, GENERATE_VIDEO_WEBHOOK_URL="http://n8n/webhook/x")
    assert "workflow" in mixed.engines
    assert settings(mixed, "generator")["GENERATE_VIDEO_WEBHOOK_URL"] == "http://n8n/webhook/x"
    assert settings(mixed, "generator")["VIDEO_CREATION_WEBHOOK_URL"].startswith("http://127.0.0.1:5678/")


def test_a_setting_from_the_environment_wins_unless_it_is_empty(site: Site) -> None:
    assert settings(with_environ(site, LOG_FORMAT="json"), "media")["LOG_FORMAT"] == "json"
    assert settings(with_environ(site, LOG_FORMAT=""), "media")["LOG_FORMAT"] == "console"
    assert webhook_secret(with_environ(site, WEBHOOK_SECRETS="new, old")) == "new"


def test_a_web_proxy_of_the_users_is_not_asked_for_loopback(site: Site) -> None:
    given = settings(with_environ(site, HTTPS_PROXY="http://proxy:3128", NO_PROXY="intra.example"), "media")
    assert given["NO_PROXY"] == given["no_proxy"] == "intra.example,127.0.0.1,localhost"


def test_a_proxy_is_what_the_others_are_told(site: Site) -> None:
    proxied = Site(site.folder, site.ports, site.credentials, {}, site.engines, SERVICES, {"kafka": 4, "gateway-db": 5})
    assert settings(proxied, "gateway")["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:4"
    assert settings(proxied, "gateway")["GATEWAY_MONGO_URL"].startswith("mongodb://127.0.0.1:5/")


def test_engines_named_by_a_test_are_embedded_whatever_the_environment_says(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, engines=["kafka"], environ=REAL)
    assert stack.url("kafka").startswith("127.0.0.1:")
    assert stack.settings("gateway")["GATEWAY_MONGO_URL"] == "real-GATEWAY_MONGO_URL"


def test_a_real_broker_gets_what_an_embedded_one_lacks(site: Site) -> None:
    assert settings(with_environ(site, REAL_ENGINES="s3 mongo"), "media")["KAFKA_IDEMPOTENCE"] == "false"
    assert "KAFKA_IDEMPOTENCE" not in settings(with_environ(site, REAL_ENGINES="kafka s3"), "media")


def test_a_cluster_is_known_by_all_its_brokers_and_has_topics_to_match(site: Site) -> None:
    ports = {**PREFERRED_PORTS, **{name: 20_000 + number for number, name in enumerate(BROKER_PORTS)}}
    cluster = replace(with_environ(site, REAL_ENGINES="kafka3 s3"), ports=ports)
    assert (cluster.parts("kafka"), cluster.parts("s3")) == (BROKERS, ("s3",))
    of_media = settings(cluster, "media")
    assert of_media["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:20000,127.0.0.1:20002,127.0.0.1:20004"
    assert (of_media["KAFKA_REPLICATION_FACTOR"], of_media["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
    assert "KAFKA_IDEMPOTENCE" not in of_media


def test_a_real_engine_nobody_knows_is_not_passed_over(site: Site) -> None:
    with pytest.raises(EngineMissing, match="kafka, kafka3, mongo, s3; not kafak"):
        engine(with_environ(site, REAL_ENGINES="kafak"), "kafka")
