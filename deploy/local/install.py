"""Make `.venv` and keep it in step with the lock files, then run something in it.

    python3 -I deploy/local/install.py runtime engines -- -m deploy.local up

Runs on a bare system Python, so it uses the standard library only. Pip is called only when a lock file has changed
since the last time; what it writes goes to .reelway/logs/install.log.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

OLDEST_PYTHON = (3, 11)
REPOSITORY = Path(__file__).resolve().parents[2]
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".reelway-installed.json"
STATE = REPOSITORY / ".reelway"
LOG = STATE / "logs" / "install.log"
NEWS_EVERY_SECONDS = 10.0

OLD_PYTHON = """\
Reelway needs Python 3.11 or newer; {python} is {version}. Name another one like this:

    make up PYTHON=python3.11"""

# The first line of a script can't name a Python in a folder with a space, so a shell reads it first and hands it on:
# its command in quotes is a text to Python.
COMMAND = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

sys.path.insert(0, {repository!r})

from {module} import {function}

sys.exit({function}())
"""

NO_VENV = """\
{python} can't make a virtual environment: it has neither ensurepip nor pip. Install one and try again:

    sudo apt-get install python3-venv"""


class CannotInstall(Exception):
    """The text says what to do about it."""


def main(arguments: list[str]) -> None:
    """Install the lock sets named before `--`, then become the venv's Python with the arguments after it."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    if sys.version_info < OLDEST_PYTHON:
        raise CannotInstall(OLD_PYTHON.format(python=sys.executable, version=sys.version.split()[0]))
    install(arguments[:split])
    if arguments[split + 1 :]:
        os.execv(PYTHON, [str(PYTHON), *arguments[split + 1 :]])  # noqa: S606 - a shell would split paths with spaces


def install(sets: list[str]) -> None:
    """Bring the lock sets and the project's own commands into the venv, making it first where needed.

    Returns at once if nothing changed.
    """
    STATE.mkdir(mode=0o700, exist_ok=True)
    LOG.parent.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make up` and `make test` at the same time
        wanted = {name: fingerprint(lock_file(name)) for name in sets}
        if not (PYTHON.exists() and wanted.items() <= installed().items()):
            with LOG.open("w") as log:
                if not venv_is_sound():
                    make_venv(log)
                install_requirements([lock_file(name) for name in sets], log)
            STAMP.write_text(json.dumps({"venv": str(VENV), "sets": {**installed(), **wanted}}))
        write_commands()


def lock_file(name: str) -> Path:
    """Return the lock file of a set."""
    return REPOSITORY / "requirements" / f"{name}.txt"


def fingerprint(file: Path) -> str:
    """Return what changes when the file changes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def stamp() -> dict[str, object]:
    """Return what the last installation left: where the venv was, and the fingerprints of its sets."""
    content: dict[str, object] = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    return content


def installed() -> dict[str, object]:
    """Return the fingerprints of the sets in the venv; of none if it was moved since."""
    sets = stamp().get("sets") if stamp().get("venv") == str(VENV) else None
    return sets if isinstance(sets, dict) else {}


def venv_is_sound() -> bool:
    """Return whether there is a venv that runs. One that was moved does not: its scripts name the old place."""
    moved = stamp().get("venv", str(VENV)) != str(VENV)
    if moved or not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-c", "import encodings"], check=False).returncode == 0


def make_venv(log: TextIO) -> None:
    """Make the venv anew. Raises CannotInstall."""
    options = ["--clear"]
    if not importlib.util.find_spec("ensurepip"):  # Debian without python3-venv
        if not importlib.util.find_spec("pip"):
            raise CannotInstall(NO_VENV.format(python=sys.executable))
        options.append("--without-pip")
    say("Making the virtual environment .venv")
    list(output([sys.executable, "-m", "venv", *options, str(VENV)], log))


def install_requirements(files: list[Path], log: TextIO) -> None:
    """Run pip on the lock files, saying now and then how far it is. Raises CannotInstall."""
    total = len({line.split("==")[0] for file in files for line in file.read_text().splitlines() if "==" in line})
    command = [*pip(), "install", "--require-hashes", "--no-input", "--progress-bar=off"]
    for file in files:
        command += ["-r", str(file)]
    progress = Progress(total)
    for line in output(command, log):
        progress.see(line)
    progress.finish()


def write_commands() -> None:
    """Put the commands that pyproject.toml names beside the venv's Python, where they are not there as they should be.

    By hand, since installing the project itself would take a build tool, fetched past the hashes of the lock files.
    """
    for name, place in project_commands().items():
        module, _, function = place.partition(":")
        script = VENV / "bin" / name
        content = COMMAND.format(python=PYTHON, repository=str(REPOSITORY), module=module, function=function)
        if not script.exists() or script.read_text() != content:
            script.write_text(content)
            script.chmod(0o755)


def project_commands() -> dict[str, str]:
    """Return each command's name and what it runs, as module:function."""
    import tomllib  # an older Python has to get as far as being told that it is too old

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    commands: dict[str, str] = project.get("scripts", {})
    return commands


def pip() -> list[str]:
    """Return the command that runs pip for the venv: its own, or the system's."""
    if list(VENV.glob("lib/python*/site-packages/pip")):
        return [str(PYTHON), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def output(command: list[str], log: TextIO) -> Iterator[str]:
    """Run a command, copy what it writes to the log and hand it on line by line. Raises CannotInstall if it fails."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                log.write(line)
                yield line
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        log.flush()
        last = "".join(f"    {line}\n" for line in LOG.read_text(errors="replace").splitlines()[-15:])
        raise CannotInstall(f"This failed: {' '.join(command)}\nIts last lines:\n{last}The whole log: {LOG}")


class Progress:
    """How many packages pip has looked at: a line that counts on a terminal, one now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: set[str] = set()
        self._terminal = sys.stdout.isatty()
        self._told = time.monotonic()
        say(f"Installing {total} packages into .venv; the first time this takes about two minutes")

    def see(self, line: str) -> None:
        """Take in one line of pip's."""
        if found := re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            self._seen.add(found[1])
            self._tell(f"  {len(self._seen)} of {self._total}: {found[1]}")
        elif line.startswith("Installing collected"):
            self._tell("  all are here; unpacking", always=True)

    def finish(self) -> None:
        """Say that it is done."""
        self._tell("  installed", always=True)
        if self._terminal:
            say("")

    def _tell(self, text: str, always: bool = False) -> None:
        if self._terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        elif always or time.monotonic() - self._told > NEWS_EVERY_SECONDS:
            self._told = time.monotonic()
            say(text)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def stop(number: int, _frame: object) -> None:
    """End on SIGTERM as on Ctrl-C, so that pip is ended too."""
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        main(sys.argv[1:])
    except CannotInstall as reason:
        sys.exit(f"\n{reason}\n")
    except KeyboardInterrupt:
        sys.exit(130)
