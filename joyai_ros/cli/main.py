"""The one command, ``joyai-ros``: its subcommands, and what errors look like to people and to programs.

Each subcommand lives in a module of its own as one plain function called ``command``, whose parameters are its
arguments and options; a command with commands of its own is a ``typer.Typer`` called ``group``. The module is imported
only when its command is used, so that help is quick and a command whose optional dependency is missing is still listed.

Exit codes: 0 done; 1 the result could not be written, or an optional dependency is missing; 2 bad input or usage;
130 interrupted.
"""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from joyai_ros import __version__
from joyai_ros.errors import InputError, JoyaiError
from joyai_ros.training.loop import StoppedError

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130

# Name: (module, the line that the list of commands shows).
COMMANDS = {
    "demo": ("joyai_ros.cli.demo", "Simulate a robot camera over a table and report what it perceives."),
    "run": ("joyai_ros.cli.run", "Perceive an RGB-D bag: scenes, relations and views into a new bag."),
    "scene": ("joyai_ros.cli.scene", "Measure the objects of one RGB-D frame and their relations."),
    "imagine": ("joyai_ros.cli.imagine", "Draw what the camera of one RGB-D frame would see from elsewhere."),
    "edit": ("joyai_ros.cli.edit", "Change an image by a model: in words, an object's place, or its side."),
    "generate": ("joyai_ros.cli.generate", "Draw an image from words by a model."),
    "ask": ("joyai_ros.cli.ask", "Answer a question about images, checked against measured depth."),
    "models": ("joyai_ros.cli.models", "List the models that answer and draw, download and check them."),
    "plan": ("joyai_ros.cli.plan", "Say what of a drawing model fits on a device, and its floor."),
    "data": ("joyai_ros.cli.data", "Make training data from the simulator or from bags; check, show, export it."),
    "eval": ("joyai_ros.cli.eval", "Score models that answer or draw, or the scene engine, on simulated scenes."),
    "train": ("joyai_ros.cli.train", "Train the model that answers, or the one that draws, on such data."),
    "engine": ("joyai_ros.cli.engine", "Export a drawing model's MMDiT; build, check and time its engines."),
    "bench": ("joyai_ros.cli.bench", "Time scenes, depth views or a whole bag here; count what drawn views ask for."),
}

# Import name: the extra that installs it.
EXTRAS = {
    "mujoco": "sim",
    "torch": "neural",
    "transformers": "neural",
    "diffusers": "neural",
    "xgrammar": "neural",
    "openai": "remote",
    "jsonschema": "remote",
    "pyarrow": "train",
    "peft": "train",
    "accelerate": "train",
    "matplotlib": "train",
}

# Typer brings its own click in newer releases and imports click in older ones; this is the class in both.
_UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
_ClickError = cast("type[Exception]", _UsageError.__mro__[1])


class _LazyGroup(TyperGroup):
    """A group whose commands are imported when they are used, and not to be listed."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table, which is the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, line = COMMANDS[cmd_name]
        if self._listing:
            return TyperCommand(cmd_name, short_help=line)
        loaded = import_module(module)
        if hasattr(loaded, "group"):
            group = typer.main.get_command(loaded.group)
            group.name = cmd_name
            return group
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(cmd_name)(loaded.command)
        return typer.main.get_command(app)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without importing any command."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"joyai-ros {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Spatial perception for robots: metric scenes, spatial relations and imagined views from RGB-D."""
    del version


def _application() -> Any:
    app = typer.Typer(
        name="joyai-ros",
        cls=_LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return typer.main.get_command(app)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; errors become one line on stderr.

    Args:
        arguments: without the program's name; None for those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        said = shlex.join(["joyai-ros", *arguments])  # commands that note how they were called find it in their context
        code = _application().main(args=arguments or ["--help"], prog_name="joyai-ros", standalone_mode=False, obj=said)
    except _UsageError as error:
        return _complain(_usage_line(error), BAD_INPUT)
    except _ClickError as error:
        return _complain(cast("Any", error).format_message(), BAD_INPUT)
    except InputError as error:
        return _complain(str(error), BAD_INPUT)
    except StoppedError as error:
        return _complain(str(error), INTERRUPTED)
    except JoyaiError as error:
        return _complain(str(error), FAILED)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _complain(f"{error.name} is not installed; install it with: pip install 'joyai_ros[{extra}]'", FAILED)
    except (KeyboardInterrupt, typer.Abort):  # older typer; newer ones return this code by themselves
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _usage_line(error: Any) -> str:
    path = error.ctx.command_path if error.ctx else "joyai-ros"
    message = error.format_message().rstrip().replace("Value error, ", "")  # pydantic's words, not for people
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See {path} --help"


def _complain(message: str, code: int) -> int:
    print(f"joyai-ros: {' '.join(message.split())}", file=sys.stderr)
    return code


def main() -> None:
    """Run the command line of this process (the entry point of ``joyai-ros``)."""
    sys.exit(run())


if __name__ == "__main__":
    main()
