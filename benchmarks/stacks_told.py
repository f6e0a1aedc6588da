"""How well a listing tells what stands on another thing, and the weights of what it tells that by.

python -m benchmarks.stacks_told [--scenes 700] [--seed 1700000] [--model small-und] [--json]

Each scene is one image with the noise of a camera, from a seed that no training has seen, with the boxes of all things in sight
known. On another thing stands what is more than 12 mm above the table. It is asked of things whose box ends within another one,
as nearly all of these do. Three ways are compared: by weights that are fitted to the other half of the scenes, by those of the
package (``joyai_ros.understanding.stacks.SIGNS``, fitted to the scenes that are the default here), and by looks alone. Printed
are the area under the curve of hits over false alarms, and hits and false alarms where it is likelier than not. The fit is a
logistic regression, held to small weights a little.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.listed_scenes import TOGETHER, asked, boxes_shown, frames_of, lister_of, show
from joyai_ros.sim.frames import SimFrame
from joyai_ros.understanding import listing_writer
from joyai_ros.understanding.listing import Marks, marks_in_order
from joyai_ros.understanding.stacks import SIGNS, signs_of, stacked

SCENES, SEED = 700, 1_700_000
HELD = 1e-3  # of the square of a weight, in standard deviations of its sign, beside the mean loss
HIGHER = 0.012  # metres above the table

Array = NDArray[np.float64]


def told(scenes: int, seed: int, model: str) -> tuple[Array, NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Return (N, 5) signs of all things, (N,) whether they stand on another thing, the scene that each is of, and whether there
    is another thing below it.
    """
    lister = lister_of(model)
    given: list[Array] = []
    below: list[NDArray[np.bool_]] = []

    def noted(*what: Any) -> tuple[Array, NDArray[np.int64]]:
        signs, under = signs_of(*what)
        given.append(signs)
        below.append(under != np.arange(len(under)))
        return stacked(*what)

    stands: list[list[bool]] = []
    for together in frames_of(scenes, seed):
        frames = [frame for frame in together if any(view.box for view in frame.truth.views)]
        marks = [_marks(frame) for frame in frames]
        stands += [_stands(*each) for each in zip(frames, marks, strict=True)]
        with torch.inference_mode(), mock.patch.object(listing_writer, "stacked", noted):
            lister.write([frame.observation.color for frame in frames], marks, TOGETHER)
    scene = [k for k, each in enumerate(stands) for _ in each]
    return (
        np.concatenate(given),
        np.concatenate([np.array(each) for each in stands]),
        np.array(scene),
        np.concatenate(below),
    )


def _marks(frame: SimFrame) -> Marks:
    """Return the box of each thing, by its number; None of what is out of sight."""
    shown = boxes_shown(frame, 0.0)
    return tuple(shown.get(number) for number in range(len(frame.truth.views)))


def _stands(frame: SimFrame, marks: Marks) -> list[bool]:
    """Return whether each thing of a listing stands on another thing; the floor of a tray is that of the table."""
    world = frame.truth.world
    (table,) = (support.height for support in world.supports if support.owner == "table")
    boxes = [world.objects[number - 1].box for number, _ in marks_in_order(marks)]
    return [bool(box.center[2] - box.size[2] / 2 - table > HIGHER) for box in boxes]


def fitted(signs: Array, stands: NDArray[np.bool_]) -> Array:
    """Return the weights of signs by which it is told best what stands on another thing."""
    spread = signs.std(axis=0)
    spread[spread < 1e-9] = 1.0  # such a sign is the same for all
    side = np.where(stands, -1.0, 1.0)

    def loss(weights: Array) -> float:
        return float(np.logaddexp(0.0, side * (signs / spread @ weights)).mean() + HELD * np.square(weights[1:]).sum())

    return np.asarray(minimize(loss, np.zeros(signs.shape[1])).x / spread, dtype=np.float64)


def figures(odds: Array, stands: NDArray[np.bool_]) -> dict[str, float]:
    """Return how well log odds tell what stands on another thing."""
    rank = np.argsort(np.argsort(odds))
    area = (rank[stands].mean() - (stands.sum() - 1) / 2) / (~stands).sum()
    likely = odds > 0.0
    return {
        "area": float(area),
        "hits": float(likely[stands].mean()),
        "false alarms": float(likely[~stands].mean()),
    }


def main() -> None:
    """Measure, fit and print."""
    given = asked("stacks_told", __doc__, SCENES, SEED)
    signs, stands, scene, told_of = told(given.scenes, given.seed, given.model)
    found: dict[str, Any] = {"things": len(stands), "on another": int(stands.sum())}
    found |= {"ending in another": int(told_of.sum()), "of these on another": int(stands[told_of].sum())}
    signs, stands, scene = signs[told_of], stands[told_of], scene[told_of]
    other = np.zeros(len(stands))
    halves = [scene % 2 == half for half in (0, 1)]
    if not all(0 < stands[rows].sum() < rows.sum() for rows in halves):
        raise SystemExit("too few scenes: in each half of them something has to stand on another thing; ask for more")
    for rows in halves:
        other[rows] = signs[rows] @ fitted(signs[~rows], stands[~rows])
    found |= {
        "fitted to the other half": figures(other, stands),
        "as in the package": figures(signs @ np.array(list(SIGNS.values())), stands),
        "by looks alone": figures(signs[:, 1], stands),
        "weights": dict(zip(SIGNS, fitted(signs, stands).round(2).tolist(), strict=True)),
    }
    show(found, given.json)


if __name__ == "__main__":
    main()
