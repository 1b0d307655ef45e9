"""One more process of a service, beside the one that a stack starts."""

from dataclasses import replace
from functools import partial

from deploy.local import ready
from deploy.local.ports import free_port
from deploy.local.processes import Program
from deploy.local.services import service
from deploy.local.stack import LocalStack


def replica(stack: LocalStack, name: str) -> Program:
    """Return the program of `<service>-<number>`: set as the service is, on the port of that name or a free one."""
    original, port = name.partition("-")[0], stack.site.ports.get(name) or free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**stack.settings(original), f"{original.upper()}_PORT": str(port)}
    check = partial(ready.http, f"{url}/health/ready")
    return replace(service(stack.site, original), name=name, env=env, url=url, check=check)
