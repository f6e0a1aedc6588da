"""``joyai-ros bench imagine``: what a view that a model draws asks of its networks, by diffusers and by ours."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from joyai_ros.imagination.buckets import buckets
from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.opening import find_drawing_model

if TYPE_CHECKING:  # torch is loaded when something is counted
    from joyai_ros.imagination.mmdit.cost import ViewCounts

DEFAULT_SIZE = 64

# What is counted, by its name: in words.
_COUNTED = {
    "calls": "MMDiT calls",
    "rows": "MMDiT rows",
    "vision": "vision passes",
    "language": "language model passes",
    "head": "its head",
    "encoded": "images encoded",
    "decoded": "images decoded",
    "positions": "positions (RoPE) made",
    "copied": "MB copied",
    "moved": "MB between devices",
}
_BYTES = ("copied", "moved")


def count_imagine(model: str, size: int) -> dict[str, Any]:
    """Return what was counted: of drawn views, where there is a model, and at the real network's shapes.

    Args:
        model: card or folder of a pipeline; empty for none.
        size: of the drawn views, pixels along a side.

    Raises:
        InputError: there is no such model or size, or it draws nothing.
        DrawMemoryError: it does not fit.
    """
    return {"bench": "imagine", "drawn": _drawn(model, size) if model else None, "real": _real()}


def show_imagine(figures: dict[str, Any], console: Console) -> None:
    """Print what :func:`count_imagine` returned: drawn views and real shapes apart."""
    drawn = figures["drawn"]
    if drawn is not None:
        _show_drawn(drawn, console)
        console.print()
    console.print("JoyAI-Image's MMDiT, the rows of one view: counted by its shapes, not run")
    table = _table("px", "view", "rows", "PFLOP", "GB moved to the device")
    for row in figures["real"]:
        table.add_row(
            str(row["pixels"]),
            row["view"],
            str(row["rows"]),
            f"{row['operations'] / 1e15:.2f}",
            f"{row['bytes_moved'] / 1e9:.2f}",
        )
    console.print(table)


def _drawn(model: str, size: int) -> dict[str, Any]:
    buckets(size, ())
    found = find_drawing_model(model)
    from joyai_ros.imagination.mmdit.cost import count_view
    from joyai_ros.imagination.mmdit.loading import load_pipeline

    counted = count_view(load_pipeline(found.folder, PipelineLoading(resolution=size)), size)
    return {"model": model, "pixels": size, "steps": counted.preset.steps, **_counts(counted)}


def _counts(counted: ViewCounts) -> dict[str, Any]:
    views = {"stock": counted.stock, "ours": counted.ours, "ours_second_view": counted.second}
    return {
        **{name: {key: asdict(counts)[key] for key in _COUNTED} for name, counts in views.items()},
        "redundant": {"ours": counted.redundant(), "ours_second_view": counted.redundant(second=True)},
        "largest_difference": counted.difference,
    }


def _real() -> list[dict[str, Any]]:
    from joyai_ros.imagination.mmdit.cost import REAL_SIZES, real_views

    return [
        {"pixels": pixels, "view": view.name, "rows": view.rows, "operations": view.flops, "bytes_moved": view.moved}
        for pixels in REAL_SIZES
        for view in real_views(pixels)
    ]


def _show_drawn(drawn: dict[str, Any], console: Console) -> None:
    console.print(
        f"{drawn['model']}, {drawn['pixels']} px, {drawn['steps']} steps with guidance: drawn here", markup=False
    )
    table = _table("", "stock", "ours", "ours, second view")
    for name, words in _COUNTED.items():
        counts = [drawn[view][name] for view in ("stock", "ours", "ours_second_view")]
        table.add_row(words, *(f"{count / 1e6:.1f}" if name in _BYTES else str(count) for count in counts))
    console.print(table)
    console.print(f"largest difference between the pictures of stock and ours: {drawn['largest_difference']} of 255")
    beyond = [
        f"{_COUNTED[name]} {count:+d} ({view.replace('_', ' ')})"
        for view, found in drawn["redundant"].items()
        for name, count in found.items()
    ]
    console.print(f"redundant in ours: {', '.join(beyond) or 'nothing'}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in ("", "view") else "right", no_wrap=True)
    return table
