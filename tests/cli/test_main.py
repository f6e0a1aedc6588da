import subprocess
import sys

import pytest
import typer

from joyai_ros import __version__
from joyai_ros.cli import main
from joyai_ros.errors import CameraError, MissingDependencyError, OutputError


@pytest.fixture
def command(monkeypatch):
    """Put a function of the test behind the name ``probe``."""

    def install(function):
        monkeypatch.setattr(main, "import_module", lambda name: type("Module", (), {"command": staticmethod(function)}))
        monkeypatch.setitem(main.COMMANDS, "probe", ("probe", "A probe."))

    return install


def raising(error: BaseException):
    def probe() -> None:
        raise error

    return probe


def test_help_lists_every_command_without_importing_any(capsys):
    assert main.run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, (_, line) in main.COMMANDS.items():
        assert name in listed
        assert " ".join(line.split()[:4]) in listed
    code = "import sys; from joyai_ros.cli import main; main.run(['--help']); print('numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


def test_no_arguments_show_the_help(capsys):
    assert main.run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys):
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"joyai-ros {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["probe", "--nonsense"], ["probe"], ["probe", "x"]]
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, command, capsys):
    def probe(number: int) -> None:
        raise AssertionError(number)

    command(probe)
    assert main.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("joyai-ros: ")
    assert shown.err.count("\n") == 1
    assert "--help" in shown.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CameraError("camera fx is 0\nin cam.json; give pixels"), 2),
        (OutputError("disk full"), 1),
        (MissingDependencyError("no mujoco"), 1),
        (typer.BadParameter("not a box"), 2),
        (ModuleNotFoundError("No module named 'mujoco'", name="mujoco"), 1),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(error, code, command, capsys):
    command(raising(error))
    assert main.run(["probe"]) == code
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_quiet(error, command, capsys):
    command(raising(error))
    assert main.run(["probe"]) == 130
    assert capsys.readouterr().err == ""


def test_a_missing_extra_is_named(command, capsys):
    command(raising(ModuleNotFoundError("No module named 'mujoco'", name="mujoco.egl")))
    main.run(["probe"])
    assert "pip install 'joyai_ros[sim]'" in capsys.readouterr().err


def test_a_mistake_in_the_program_is_not_hidden(command):
    command(raising(ModuleNotFoundError("No module named 'joyai_ros.nothing'", name="joyai_ros.nothing")))
    with pytest.raises(ModuleNotFoundError):
        main.run(["probe"])


def test_a_command_gets_its_arguments_and_gives_its_exit_code(command):
    seen = []

    def probe(number: int, name: str = "n") -> None:
        seen.append((number, name))
        raise typer.Exit(3)

    command(probe)
    assert main.run(["probe", "4", "--name", "m"]) == 3
    assert seen == [(4, "m")]


def test_module_entry_point():
    result = subprocess.run(
        [sys.executable, "-m", "joyai_ros", "nonsense"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert "nonsense" in result.stderr
