"""Looks at every setting before anything is started: nothing then stops half way because of a wrong one."""

from collections.abc import Iterator, Mapping

from pydantic_settings import BaseSettings

from deploy.local.engines import engine
from deploy.local.services import settings
from deploy.local.site import Site
from deploy.local.workflow.settings import WorkflowSettings
from deploy.settings_page import CLASSES
from shared.wiring.environment import WrongSettings, read_settings


def check_settings(site: Site) -> dict[str, int]:
    """Return the ports of services that the caller fixed; 0 fixes none. Raises WrongSettings with all that is wrong."""
    read: dict[str, BaseSettings] = {}
    wrong: dict[str, None] = {}  # each sentence once: many settings are read by several programs
    for name, kind, environ in _programs(site):
        try:
            read[name] = read_settings(kind, environ)
        except WrongSettings as problem:
            wrong |= dict.fromkeys(problem.sentences)
    if wrong:
        raise WrongSettings(list(wrong))
    fixed = {name: getattr(read[name], f"{name}_port") for name in site.services if _port(site, name)}
    return {name: port for name, port in fixed.items() if port}


def _programs(site: Site) -> Iterator[tuple[str, type[BaseSettings], Mapping[str, str]]]:
    """Yield (name, settings class, environment) of every program of ours."""
    for name in site.services:
        yield name, CLASSES[name], settings(site, name) | _port(site, name)
    if "workflow" in site.engines:
        yield "workflow", WorkflowSettings, engine(site, "workflow").env


def _port(site: Site, name: str) -> dict[str, str]:
    """Return the variable that fixes the service's port, where it is set; what the service is given is our choice."""
    variable = f"{name.upper()}_PORT"
    return {variable: site.environ[variable]} if site.environ.get(variable) else {}
