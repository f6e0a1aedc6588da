"""``joyai-ros models``: the model cards, downloads of their weights, and whether a folder of weights is whole."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.output import write_json
from joyai_ros.models.card import load_card
from joyai_ros.models.folder import LOCK, check_folder
from joyai_ros.models.pipeline_folder import check_pipeline
from joyai_ros.models.shapes import compare_shapes, expected_pipeline_shapes, expected_shapes, read_config
from joyai_ros.models.store import StoredModel, find_model, pull, stored_models
from joyai_ros.models.weight_files import read_tensors

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="List the models, download their weights, and check them.",
)

_Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output.")
]
_GIGABYTE = 1e9


@group.command("list")
def list_models(json: _Json = None) -> None:
    """List the model cards, and which weights are on this machine.

    Downloads lie in $JOYAI_MODELS, or in ~/.cache/joyai_ros/models.
    """
    found = stored_models()
    if json is not None:
        write_json(json, [_record(model) for model in found])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("here")
    table.add_column("parameters", justify="right")
    table.add_column("bfloat16", justify="right")
    table.add_column("licence")
    table.add_column("from", overflow="fold")
    for model in found:
        card = model.card
        size = card.memory.get("bfloat16")
        table.add_row(
            card.name,
            "yes" if model.present else "no",
            f"{card.parameters / 1e9:.2f} B" if card.parameters else "-",
            f"{size:.1f} GB" if size else "-",
            card.licence or "unknown",
            card.repository or "this package",
        )
    Console(highlight=False).print(table)


@group.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="Name of a model card (see: joyai-ros models list).")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Commit or tag of the repository; default: the card's.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Download nothing; only look for it here.")] = False,
    json: _Json = None,
) -> None:
    """Download a model's weights (safetensors alone), or go on with a download that was broken off."""
    model = pull(load_card(name), revision, offline)
    _say(json, f"{name} is in {model.folder}", _record(model))


@group.command("check")
def check_model(
    name: Annotated[str, typer.Argument(help="Name of a model card, or the folder of a model.")],
    hashes: Annotated[
        bool, typer.Option("--hashes/--no-hashes", help="Read all weights and compare them with the lock file.")
    ] = True,
    json: _Json = None,
) -> None:
    """Check that a model's folder is whole, safe to load, and still what was downloaded."""
    model = find_model(name)
    text, record = _checked_pipeline(model, hashes) if model.card.draws else _checked(model, hashes)
    _say(json, f"{model.card.name}: {text}", _record(model) | {"check": record})


def _checked(model: StoredModel, hashes: bool) -> tuple[str, dict[str, Any]]:
    """Return what was found of a model that answers, in words and as plain values."""
    report = check_folder(model.folder, hashes, _say_reading)
    compare_shapes(
        report.folder, read_tensors(report.folder, report.shards), expected_shapes(read_config(report.folder))
    )
    hashed = f"{report.hashed} files as downloaded" if report.hashed else _not_hashed(report.folder, hashes)
    text = (
        f"{report.architecture}, {report.tensors} tensors in {len(report.shards)} files, "
        f"{report.size / _GIGABYTE:.2f} GB, shapes as config.json asks; {hashed}"
    )
    return text, dataclasses.asdict(report) | {"folder": str(report.folder)}


def _checked_pipeline(model: StoredModel, hashes: bool) -> tuple[str, dict[str, Any]]:
    """Return what was found of a pipeline that draws, in words and as plain values."""
    found = check_pipeline(model.folder, hashes=hashes, on_file=_say_reading)
    for part, expected in expected_pipeline_shapes(found.folder, found.kind).items():
        compare_shapes(found.folder / part, found.tensors[part], expected)
    hashed = f"{found.hashed} files as downloaded" if found.hashed else _not_hashed(found.folder, hashes)
    parts = ", ".join(f"{part} {size / _GIGABYTE:.2f} GB" for part, size in found.size.items())
    tensors = sum(map(len, found.tensors.values()))
    record = {
        "folder": str(found.folder),
        "architecture": found.kind,
        "tensors": tensors,
        "size": sum(found.size.values()),
        "hashed": found.hashed,
        "parts": {part: {"size": size, "parameters": found.parameters(part)} for part, size in found.size.items()},
    }
    return f"{found.kind}, {tensors} tensors ({parts}), shapes as each config.json asks; {hashed}", record


def _say_reading(file: str) -> None:
    print(f"reading {file}", file=sys.stderr)


def _not_hashed(folder: Path, hashes: bool) -> str:
    has_lock = (folder / LOCK).is_file()
    return "hashes not compared" if not hashes or has_lock else f"hashes not compared: there is no {LOCK}"


def _say(json: Path | None, text: str, record: dict[str, Any]) -> None:
    if json is None:
        print(text)
    else:
        write_json(json, record)


def _record(model: StoredModel) -> dict[str, Any]:
    return dataclasses.asdict(model.card) | {"path": str(model.folder), "present": model.present}
