"""Scenes that a model lists, for the benchmarks of listings: what their images show, and the command line about them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.sim.frames import SimFrame, simulate
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.listing_writer import ListingWriter
from joyai_ros.understanding.local import LocalBackend
from joyai_ros.understanding.opening import open_model

TOGETHER = 8  # images that are listed at the same time
SHOWN, IN_SIGHT = 0.5, 0.2  # shares of a thing in sight from which on it is shown, and is there at all


def backend_of(model: str) -> LocalBackend:
    """Return a model that lists what it sees, in this process and on one core; exits where the card's does not."""
    torch.set_num_threads(1)
    backend = open_model(ModelConfig(name=model)).backend
    if not isinstance(backend, LocalBackend) or backend._lister is None:
        raise SystemExit(f"{model} lists nothing in this process; name a card whose model lists what it sees")
    return backend


def lister_of(model: str) -> ListingWriter:
    """Return what writes the listings of a model; exits like :func:`backend_of`."""
    lister = backend_of(model)._lister
    assert lister is not None
    return lister


def frames_of(scenes: int, seed: int) -> Iterator[list[SimFrame]]:
    """Yield the first images of some scenes, so many together as are listed at the same time."""
    for start in range(0, scenes, TOGETHER):
        yield [frame for k in range(start, min(start + TOGETHER, scenes)) for frame in simulate(seed + k)]


def boxes_shown(frame: SimFrame, least: float) -> dict[int, Box2D]:
    """Return by its number the box, as shares of the image, of each thing of which so much is in sight."""
    height, width = frame.truth.camera.shape
    found = {}
    for number, view in enumerate(frame.truth.views):
        if view.box is not None and view.visible_fraction >= least:
            x0, y0, x1, y1 = view.box
            found[number] = (x0 / width, y0 / height, x1 / width, y1 / height)
    return found


def asked(module: str, what: str, scenes: int, seed: int) -> argparse.Namespace:
    """Return the options of a benchmark's command line.

    Args:
        module: name of the benchmark.
        what: its docstring.
        scenes, seed: that are the default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=what.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=scenes, help=f"images, one of each ({scenes})")
    parser.add_argument("--seed", type=int, default=seed, help=f"of the first scene ({seed})")
    parser.add_argument("--model", default="small-und", help="a card whose model writes listings (small-und)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.scenes < 1:
        parser.error("--scenes must be at least 1")
    return given


def show(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print figures, those that belong together in a line."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        words = "  ".join(f"{key} {_said(each)}" for key, each in figure.items()) if isinstance(figure, Mapping) else ""
        print(f"{name:40s} {words or _said(figure)}")


def _said(figure: Any) -> str:
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)
