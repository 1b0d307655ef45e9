"""`.reelway/stack.json`: tells people and programs where the running stack is and how to get in."""

from pathlib import Path

from deploy.local.private_file import write_private
from deploy.local.site import ENGINE_VARIABLES, SERVICES
from deploy.local.stack import LocalStack


class StackFile:
    """The file that exists while the stack is up; one that was killed leaves it to the next `up` or `down`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, stack: LocalStack) -> None:
        """Say where everything is. A process id is null for what is not ours: a real engine."""
        write_private(self._file, describe(stack))

    def exists(self) -> bool:
        """Return whether a stack says where it is."""
        return self._file.exists()

    def remove(self) -> None:
        """Take the file away, if there is one."""
        self._file.unlink(missing_ok=True)


def describe(stack: LocalStack) -> dict[str, object]:
    """Return the content of stack.json."""
    entry = {name: {"url": stack.url(name), "pid": stack.pid(name)} for name in (*SERVICES, *ENGINE_VARIABLES)}
    return {
        "services": {name: entry[name] for name in SERVICES},
        "engines": {name: entry[name] for name in ENGINE_VARIABLES},
        "webhookSecret": stack.webhook_secret,
        "adminToken": stack.admin_token,
        "demo": {"email": stack.credentials.demo_email, "password": stack.credentials.demo_password},
    }
