"""``joyai-ros plan``: what of a drawing pipeline fits on a device, and how fast it can be there at best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.output import write_json
from joyai_ros.imagination.memory import network_of
from joyai_ros.imagination.planner import DEVICES, Option, Plan, device_named, plan


def command(
    card: Annotated[str, typer.Argument(metavar="CARD", help="Card or folder of a pipeline that draws.")],
    device: Annotated[
        str, typer.Option("--device", metavar="NAME|FILE", help=f"One of {', '.join(DEVICES)}, or a JSON file.")
    ],
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.001, help="That a view may take, for the recommendation.")
    ] = 30.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the plan here; - for stdout.")] = None,
) -> None:
    """Say what fits on a device, and how fast a view can be there at best.

    Nothing is loaded or measured: it is arithmetic on the networks' sizes and the vendor's figures for the device.
    """
    found = plan(device_named(device), seconds, network_of(card))
    if json_file is not None:
        write_json(json_file, found.to_json() | {"card": card})
    if json_file is None or str(json_file) != "-":
        _show(card, found, Console(highlight=False))


def _show(card: str, found: Plan, console: Console) -> None:
    device, network = found.device, found.network
    shared = " shared with the CPU" if device.shared else ""
    console.print(f"{card}: MMDiT {_billions(network.parameters)}, MLLM {_billions(network.language)} parameters")
    console.print(
        f"{device.name}: {device.memory:g} GB{shared}, {device.bandwidth:g} GB/s, {device.bf16:g} TFLOP/s in bf16"
    )
    console.print("GB, and seconds at the floor of a step with guidance and of a view; reckoned, not measured")
    table = Table(box=None, pad_edge=False)
    for column in ("weights", "px", "fits", "MMDiT", "MLLM", "act.", "step", *found.presets):
        table.add_column(column, justify="left" if column in ("weights", "fits") else "right", no_wrap=True)
    for option in found.options:
        table.add_row(*_row(option), *(f"{option.view(preset):.3g}" for preset in found.presets.values()))
    console.print(table)
    console.print(_advice(found))


def _row(option: Option) -> tuple[str, ...]:
    figures = (option.weights, option.language, option.activations, option.step)
    return option.precision, str(option.resolution), option.placement, *(f"{figure:.3g}" for figure in figures)


def _advice(found: Plan) -> str:
    chosen = found.recommended
    if chosen is None:
        return "nothing fits: take a larger device"
    option, took = chosen.option, chosen.option.view(found.presets[chosen.preset])
    advice = f"recommended: preset {chosen.preset}, {option.precision}, {option.resolution} px, {option.placement}"
    if took <= found.seconds:
        return f"{advice}: {took:.3g} s or more for a view"
    return f"{advice}: the quickest, with {took:.3g} s or more for a view; none stays under {found.seconds:g} s"


def _billions(parameters: float) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters >= 1e8 else f"{parameters / 1e6:.2f} M"
