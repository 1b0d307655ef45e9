import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from deploy.local import install as module

Commands = list[list[str]]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A repository with two lock files, and what is run instead of really being run."""
    venv, state = tmp_path / ".venv", tmp_path / ".reelway"
    places = {"REPOSITORY": tmp_path, "VENV": venv, "PYTHON": venv / "bin" / "python", "STATE": state}
    places |= {"STAMP": venv / "stamp.json", "LOG": state / "logs" / "install.log"}
    for name, place in places.items():
        monkeypatch.setattr(module, name, place)
    (tmp_path / "pyproject.toml").write_text('[project]\nscripts = {greet = "greeting.words:main"}\n')
    (tmp_path / "requirements").mkdir()
    for name in ("runtime", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}-thing==1.0 \\\n    --hash=sha256:00\n")
    run: Commands = []

    def output(command: list[str], _log: TextIO) -> Iterator[str]:
        run.append(command)
        if "venv" in command:
            (venv / "bin").mkdir(parents=True, exist_ok=True)
            (venv / "bin" / "python").unlink(missing_ok=True)
            (venv / "bin" / "python").symlink_to(sys.executable)
        return iter(["Collecting runtime-thing==1.0", "Installing collected packages: runtime-thing"])

    monkeypatch.setattr(module, "output", output)
    return run


def without(*modules: str) -> Callable[[str], object]:
    return lambda name: None if name in modules else importlib.util.spec_from_loader(name, None)


def test_everything_is_installed_once_from_hashes(commands: Commands) -> None:
    module.install(["runtime"])
    assert len(commands) == 2
    assert commands[0][1:3] == ["-m", "venv"]
    assert "--require-hashes" in commands[1]
    assert commands[1][-2:] == ["-r", str(module.lock_file("runtime"))]
    module.install(["runtime"])
    assert len(commands) == 2, "nothing changed"


def test_a_changed_lock_file_or_another_set_is_installed_into_the_same_venv(commands: Commands) -> None:
    module.install(["runtime"])
    module.install(["runtime", "dev"])
    module.lock_file("runtime").write_text("runtime-thing==2.0\n")
    module.install(["runtime"])
    assert ["venv" in command for command in commands] == [True, False, False, False]
    module.install(["dev"])
    assert len(commands) == 4, "the other set is known still"


def test_a_venv_that_was_moved_is_made_anew(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    module.install(["runtime"])
    elsewhere = module.VENV.parent / "elsewhere"
    elsewhere.mkdir()
    module.VENV.rename(elsewhere / ".venv")
    monkeypatch.setattr(module, "VENV", elsewhere / ".venv")
    monkeypatch.setattr(module, "PYTHON", elsewhere / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", elsewhere / ".venv" / "stamp.json")
    module.install(["runtime"])
    assert ["--clear" in command for command in commands] == [True, False, True, False]


def test_a_venv_whose_python_is_gone_is_made_anew(commands: Commands) -> None:
    module.install(["runtime"])
    module.PYTHON.unlink()
    module.PYTHON.symlink_to("/nowhere/python")
    module.install(["runtime"])
    assert ["venv" in command for command in commands] == [True, False, True, False]


@pytest.mark.usefixtures("commands")
def test_without_ensurepip_and_pip_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", without("ensurepip", "pip"))
    with pytest.raises(module.CannotInstall, match="apt-get install python3-venv"):
        module.install(["runtime"])


def test_without_ensurepip_the_pip_of_the_system_does_it(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", without("ensurepip"))
    module.install(["runtime"])
    assert "--without-pip" in commands[0]
    assert commands[1][:5] == [sys.executable, "-m", "pip", "--python", str(module.PYTHON)]


@pytest.mark.usefixtures("commands")
def test_the_projects_commands_run_from_anywhere_also_in_a_folder_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "my clone"
    (repository / "greeting").mkdir(parents=True)
    (repository / "greeting" / "words.py").write_text("import sys\ndef main(): print(sys.argv[1:]); return 3\n")
    (repository / "python").symlink_to(sys.executable)
    monkeypatch.setattr(module, "REPOSITORY", repository)
    monkeypatch.setattr(module, "PYTHON", repository / "python")
    (repository / "pyproject.toml").write_text((tmp_path / "pyproject.toml").read_text())
    (module.VENV / "bin").mkdir(parents=True)
    module.write_commands()
    command = module.VENV / "bin" / "greet"
    run = subprocess.run([command, "a b", "$HOME"], capture_output=True, text=True, check=False, cwd="/")
    assert (run.stdout, run.returncode) == ("['a b', '$HOME']\n", 3), run.stderr


def test_a_command_that_is_missing_or_of_an_older_version_is_written_anew(commands: Commands) -> None:
    module.install(["runtime"])
    command = module.VENV / "bin" / "greet"
    written = command.read_text()
    for damaged in (lambda: command.unlink(), lambda: command.write_text("old")):
        damaged()
        module.install(["runtime"])
        assert command.read_text() == written
    assert len(commands) == 2, "nothing was installed for that"


def test_the_projects_own_command_is_there_to_be_run() -> None:
    (place,) = module.project_commands().values()
    name, _, function = place.partition(":")
    assert callable(getattr(importlib.import_module(name), function))


def test_a_failed_command_is_shown_with_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG", tmp_path / "install.log")
    with (
        (tmp_path / "install.log").open("w") as log,
        pytest.raises(module.CannotInstall, match=r"(?s)no route to host.*install\.log"),
    ):
        list(module.output([sys.executable, "-c", "raise SystemExit('no route to host')"], log))


def test_it_needs_nothing_but_a_bare_python() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(sorted(m for m in sys.modules if m == 'rich'))"
    bare = [sys.executable, "-I", "-S", "-c", code, module.__file__]
    assert subprocess.run(bare, capture_output=True, text=True, check=True, env={**os.environ}).stdout == "[]\n"
