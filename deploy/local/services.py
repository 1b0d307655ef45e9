"""The four services as programs of the stack, and the settings each is given."""

import sys
from functools import partial

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.site import ENGINE_VARIABLES, REPOSITORY, SERVICES, Site, inherited, n8n_api_key

WEBHOOK_PATHS = {"VIDEO_CREATION_WEBHOOK_URL": "create-video", "GENERATE_VIDEO_WEBHOOK_URL": "generate-video"}
"""Where the workflow engine takes its calls."""

LOCAL_RENDERING_SECONDS = 60
"""More than our own small renderer takes for a video, also on a slow machine."""

LOCAL_ASK_SECONDS = 5
"""How often that renderer is asked about each run: its videos take seconds."""

EMBEDDED_FETCH_SECONDS = 0.05
"""The embedded broker holds an answer back for as long as it may, also when there is news meanwhile."""

EMBEDDED_SESSION_SECONDS = 3
"""The embedded broker makes whoever joins a consumer group wait for half of this, and after a leave for twice of it."""


def service(site: Site, name: str) -> Program:
    """Return the program of a service, with every setting it needs to work with the rest of this site."""
    return Program(
        name=name,
        argv=[sys.executable, "-m", f"services.{name}"],
        env=settings(site, name),
        folder=REPOSITORY,
        url=site.url(name),
        check=partial(ready.http, f"http://{site.own_address(name)}/health/ready"),
        hint=_hint(site, name),
    )


def _hint(site: Site, name: str) -> str:
    """Name the variables by which the caller sends this service to databases, brokers and storage of their own."""
    given = settings(site, name)
    needed = (variables for engine, variables in ENGINE_VARIABLES.items() if engine != "workflow")
    theirs = [name for names in needed for name in names if name in given and site.environ.get(name)]
    return f"Your environment sets {', '.join(theirs)}: look whether what is there answers." if theirs else ""


def settings(site: Site, name: str) -> dict[str, str]:
    """Return the whole environment of a service; what is for another service's eyes only is not in it."""
    own = {**defaults(site, name), **inherited(site), **addresses(site, name)}
    foreign = {f"{other.upper()}_MONGO_URL" for other in SERVICES if other != name}
    return {variable: value for variable, value in own.items() if variable not in foreign}


def defaults(site: Site, name: str) -> dict[str, str]:
    """Return the settings a caller may replace by setting the variable."""
    settings = {
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": "console",
        "WEBHOOK_SECRETS": site.credentials.webhook_secret,
        "ADMIN_TOKEN": site.credentials.admin_token,
        "PUBLIC_URL": site.url("gateway"),
        "FETCH_ALLOWED_NETWORKS": "127.0.0.0/8",
        f"{name.upper()}_HOST": "127.0.0.1",
    }
    if "s3" in site.engines:
        settings |= {
            "S3_PUBLIC_ENDPOINT": site.url("s3"),
            "S3_ACCESS_KEY": site.credentials.s3_access_key,
            "S3_SECRET_KEY": site.credentials.s3_secret_key,
        }
    if "kafka" in site.engines and "kafka" not in site.real:
        settings["KAFKA_IDEMPOTENCE"] = "false"
        settings["KAFKA_FETCH_WAIT"] = str(EMBEDDED_FETCH_SECONDS)
        settings["KAFKA_LEAVE_GROUPS"] = "false"
        settings["KAFKA_SESSION_TIMEOUT"] = str(EMBEDDED_SESSION_SECONDS)
    if "kafka" in site.engines and "kafka3" in site.real:
        settings |= {"KAFKA_REPLICATION_FACTOR": "3", "KAFKA_MIN_INSYNC_REPLICAS": "2"}
    if name == "generator" and "workflow" in site.engines:
        settings["N8N_API_KEY"] = n8n_api_key(site)
        settings["WORKFLOW_ASK_EVERY"] = str(LOCAL_ASK_SECONDS)
    if name == "gateway" and "workflow" in site.engines:
        settings["EXPECTED_DURATION"] = str(LOCAL_RENDERING_SECONDS)
    if name == "gateway":
        settings |= {
            "DEMO_EMAIL": site.credentials.demo_email,
            "DEMO_PASSWORD": site.credentials.demo_password,
        }
    return settings


def addresses(site: Site, name: str) -> dict[str, str]:
    """Return where everything is: the stack decides that, from what is real and what it started itself."""
    found = {f"{name.upper()}_PORT": str(site.ports[name])}
    found["NOTIFIER_URL"] = site.url("notifier")
    found["JWKS_URL"] = f"{site.url('gateway')}/.well-known/jwks.json"
    for engine in site.engines:
        # With only one of the two webhook addresses set, the other is the engine's.
        for variable in ENGINE_VARIABLES[engine]:
            if not site.environ.get(variable):
                found[variable] = _engine_address(site, engine, variable)
    return found


def _engine_address(site: Site, engine: str, variable: str) -> str:
    if engine == "workflow":
        return f"{site.url(engine)}/webhook/{WEBHOOK_PATHS[variable]}"
    return site.url(engine)
