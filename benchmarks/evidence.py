"""Every figure that the project claims, measured here: ``make evidence``.

Each module of this folder that has a function ``evidence()`` contributes lines. A line is a dictionary: ``line`` (what
is claimed), ``figure`` (what was measured), ``target`` (what it is held against), ``ok`` (whether it meets it; None
where it could not be measured here) and ``command`` (how to get this figure alone). The table shows them one by one,
and ``evidence.json`` keeps them with the commit, the machine and the date, module by module, so that an interrupted run
loses nothing. A shortfall is shown, and does not stop the rest.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from joyai_ros.cli.machine import processor

ROOT = Path(__file__).resolve().parents[1]
FIELDS = ("line", "figure", "target", "ok", "command")
MARKS = {True: "[green]met[/green]", False: "[red]short[/red]", None: "[yellow]not measured[/yellow]"}


def main() -> None:
    """Measure what the command line asks for, print it and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="NAME", action="append", help="only this module (may be repeated)")
    parser.add_argument("--output", type=Path, default=ROOT / "evidence.json", help="default: evidence.json")
    parser.add_argument("--list", action="store_true", help="name the modules and exit")
    arguments = parser.parse_args()
    names = modules()
    if arguments.list:
        print(*names, sep="\n")
        return
    unknown = set(arguments.only or ()) - set(names)
    if unknown:
        parser.error(f"no module {', '.join(sorted(unknown))} with evidence; there are {', '.join(names)}")
    lines = earlier(arguments.output, names)
    for name in arguments.only or names:
        lines = sorted(
            [line for line in lines if line["module"] != name] + measure(name), key=lambda x: str(x["module"])
        )
        write(arguments.output, lines)
    summarise(lines, arguments.output)


def modules() -> list[str]:
    """Return the names of the modules of this folder that define ``evidence``, sorted; nothing is imported."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != Path(__file__).stem and "\ndef evidence(" in path.read_text():
            found.append(path.stem)
    return found


def measure(name: str) -> list[dict[str, Any]]:
    """Measure the lines of one module and print each; a failure becomes a line of its own."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"[bold]{name}[/bold]")
    started = time.perf_counter()
    try:
        lines = importlib.import_module(f"benchmarks.{name}").evidence()
        broken = [line for line in lines if set(FIELDS) - set(line)]
        if broken:
            raise KeyError(f"a line of {name} lacks one of {', '.join(FIELDS)}: {broken[0]}")
    except Exception as error:  # noqa: BLE001  # one broken measurement must not hide the others; it is shown in full
        traceback.print_exc()
        lines = [failure(name, error)]
    seconds = round(time.perf_counter() - started, 1)
    records = []
    for line in lines:
        # NumPy's scalars are no JSON, and a numpy.bool_ is not the True that the table looks up.
        ok = None if line["ok"] is None else bool(line["ok"])
        record = {field: line[field] for field in FIELDS} | {"ok": ok, "module": name, "seconds": seconds, **stamp()}
        shown = [escape(str(record[field])) for field in ("line", "figure", "target")]
        console.print(f"  {MARKS[ok]}  {shown[0]}: [bold]{shown[1]}[/bold] (target {shown[2]})")
        records.append(record)
    return records


def failure(name: str, error: Exception) -> dict[str, Any]:
    """Return the line that stands for a module whose measurement failed."""
    return {
        "line": f"{name} runs",
        "figure": f"{type(error).__name__}: {error}",
        "target": "measured",
        "ok": False,
        "command": f"python -m benchmarks.evidence --only {name}",
    }


def stamp() -> dict[str, str]:
    """Return the commit, the processor and the date of a measurement."""
    return {
        "commit": commit(),
        "cpu": processor(),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def commit() -> str:
    """Return the commit that is checked out, with ``-dirty`` where tracked files differ from it."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def earlier(path: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return the lines of an earlier run that came from modules that are still there."""
    if not path.is_file():
        return []
    return [line for line in json.loads(path.read_text())["lines"] if line["module"] in names]


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write the lines as JSON, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"lines": lines}, indent=1, default=float) + "\n")
    partial.replace(path)


def summarise(lines: list[dict[str, Any]], path: Path) -> None:
    """Print how many lines meet their target, and name those that do not."""
    short = [line for line in lines if line["ok"] is False]
    unmeasured = [line for line in lines if line["ok"] is None]
    met = len(lines) - len(short) - len(unmeasured)
    print(f"\n{met} of {len(lines)} lines meet their target, {len(unmeasured)} not measured; written to {path}")
    for line in short:
        print(f"short: {line['line']}: {line['figure']} (target {line['target']}); {line['command']}")


if __name__ == "__main__":
    main()
