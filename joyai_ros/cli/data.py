"""``joyai-ros data``: training data from the simulator or from bags; made, checked, looked at, exported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.cli.progress import counting_bar
from joyai_ros.errors import OutputError
from joyai_ros.settings import load
from joyai_ros.training.data.build import build_store, recorded_sources, simulator_sources
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.export import Format, export_store
from joyai_ros.training.data.statistics import Statistics, statistics_of
from joyai_ros.training.data.store import SPLITS, Manifest, Store
from joyai_ros.training.data.validate import Fault, check_store

_BAD_INPUT = 2
_SHOWN = 20  # faults that are printed

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Make training data from the simulator or from bags; check, show and export it.",
)

StoreFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The store.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON; - for standard output.")
]


@group.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The store to make, or to go on with.")],
    bags: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BAG]...", help="Bags, or folders of posed scans; none: the simulator."),
    ] = None,
    scenes: Annotated[int | None, typer.Option("--scenes", help="Scenes of tabletop-v1.", min=1)] = None,
    seed: Annotated[int, typer.Option("--seed", help="The first scene, and the seed of everything drawn.", min=0)] = 0,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; all cores by default.", min=1)] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings (YAML).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Make a store of scenes with objects, questions and pairs of views.

    An interrupted build goes on where it stopped when the same command is run again.
    """
    settings = load(DataConfig, config, assignments or ())
    if bool(bags) == (scenes is not None):
        raise typer.BadParameter("give bags, or --scenes N for the simulator")
    sources = recorded_sources(bags, seed) if bags else simulator_sources(scenes or 0, seed)
    count = workers or len(os.sched_getaffinity(0))
    with counting_bar("scenes", len(sources)) as advance:
        manifest = build_store(out, sources, seed, settings, workers=count, progress=advance)
    _report(_built(manifest), json_file, lambda: _print_built(out, manifest))


@group.command("check")
def check(folder: StoreFolder, json_file: JsonFile = None) -> int:
    """Derive every answer again from the geometry of a store, and name what disagrees."""
    store = Store(folder)
    with counting_bar("shards", len(store.manifest.shards)) as advance:
        faults = check_store(store, advance)
    content = {"faults": [vars(fault) for fault in faults], "data_hash": store.manifest.data_hash()}
    _report(content, json_file, lambda: _print_faults(folder, store, faults))
    return _BAD_INPUT if faults else 0


@group.command("show")
def show(
    folder: StoreFolder,
    split: Annotated[str | None, typer.Option("--split", help="train, validation or test; all by default.")] = None,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="DIR", help="Write plots (PNG) here.")] = None,
    sample: Annotated[
        Path | None, typer.Option("--sample", metavar="FILE", help="Write a picture of questions.")
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Questions in it.", min=1, max=100)] = 6,
    seed: Annotated[int, typer.Option("--seed", help="Which questions.", min=0)] = 0,
    json_file: JsonFile = None,
) -> None:
    """Count what is in a store: questions by task and answer, and how far a guess would come."""
    store = Store(folder)
    found = statistics_of(store, None if split is None else _known(split))
    if plots is not None:
        from joyai_ros.training.data.plots import write_plots

        write_plots(found, plots)
    if sample is not None:
        from joyai_ros.training.data.sample import sample_sheet

        write_picture(sample, sample_sheet(store, count, seed, split))
    _report({**found.to_json(), "data_hash": store.manifest.data_hash()}, json_file, lambda: _print_statistics(found))


@group.command("export")
def export(
    folder: StoreFolder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new folder.")],
    wanted: Annotated[Format, typer.Option("--format", help="Whose format.")] = Format.SWIFT,
    split: Annotated[str, typer.Option("--split", help="train, validation or test.")] = "train",
    json_file: JsonFile = None,
) -> None:
    """Write the questions of a split for another trainer or benchmark, with images as a model sees them."""
    store = Store(folder)
    total = sum(entry.counts["questions"] for entry in store.shards(_known(split)))
    try:
        with counting_bar("questions", total) as advance:
            written = export_store(store, out, wanted, split, advance)
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror}); remove it and make room") from error
    _report(written, json_file, lambda: _say(f"{out}: {written['questions']} questions as {wanted.value}"))


def _known(split: str) -> str:
    if split not in SPLITS:
        raise typer.BadParameter(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    return split


def _report(content: dict[str, Any], json_file: Path | None, show_it: Callable[[], None]) -> None:
    if json_file is not None:
        write_json(json_file, content)
    if json_file is None or str(json_file) != "-":
        show_it()


def _built(manifest: Manifest) -> dict[str, Any]:
    totals: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for entry in manifest.shards:
        for into, counts in ((totals, entry.counts), (left_out, entry.left_out)):
            for name, number in counts.items():
                into[name] = into.get(name, 0) + number
    splits = {split: sum(len(e.scenes) for e in manifest.shards if e.split == split) for split in _splits(manifest)}
    return {**totals, "scenes": splits, "left_out": left_out, "data_hash": manifest.data_hash()}


def _splits(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(entry.split for entry in manifest.shards))


def _print_built(folder: Path, manifest: Manifest) -> None:
    content = _built(manifest)
    scenes = ", ".join(f"{number} {split}" for split, number in content["scenes"].items())
    _say(f"{folder}: {len(manifest.shards)} shards, scenes: {scenes}")
    _say(", ".join(f"{content[name]} {name}" for name in ("frames", "objects", "questions", "pairs")))
    for reason, number in content["left_out"].items():
        _say(f"left out: {number} x {reason}")


def _print_faults(folder: Path, store: Store, faults: list[Fault]) -> None:
    questions = sum(entry.counts["questions"] for entry in store.manifest.shards)
    if not faults:
        _say(f"{folder}: {questions} questions in {len(store.manifest.shards)} shards agree with their geometry")
        return
    _say(f"{folder}: {len(faults)} faults")
    for fault in faults[:_SHOWN]:
        _say(f"{fault.kind} {fault.where}: {fault.text}")
    if len(faults) > _SHOWN:
        _say(f"and {len(faults) - _SHOWN} more; --json FILE lists all")


def _print_statistics(found: Statistics) -> None:
    content = found.to_json()
    table = Table(title=f"{content['questions']} questions about {found.frames} frames", title_justify="left")
    for heading in ("task", "questions", "best guess", "answers"):
        table.add_column(heading, justify="right" if heading in ("questions", "best guess") else "left")
    for name, row in content["tasks"].items():
        guess = "" if row["guess"] is None else f"{row['guess']:.0%}"
        keys = [key for key in row["answers"] if key]
        answers = ", ".join(f"{key} {row['answers'][key]}" for key in keys)
        if keys and keys[0].endswith("or more"):  # bins of a length
            answers = f"from {keys[0].removesuffix(' or more')} to {keys[-1]}"
        table.add_row(name, str(row["n"]), guess, answers)
    Console(soft_wrap=True, highlight=False).print(table)
    scenes = ", ".join(f"{number} {split}" for split, number in found.scenes.items())
    _say(f"scenes: {scenes}; {found.objects} objects in frames, {found.pairs} pairs of views")


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text, markup=False)
