"""How right scenes of real RGB-D frames are: heights and relations of YCB objects, and how many are found unasked.

python -m benchmarks.scene_ycb [--picture FILE]

Heights are published sizes of the objects as they stand, relations were annotated by hand. A height is held against 6% or
6 mm, and 8% or 8 mm, whichever is more. Without boxes a cluster is taken for an object where the two boxes in the image
overlap by at least half (intersection over union), one to one.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.files import observation_from_files
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.box_pairs import pair_boxes
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.drawing import draw_scene
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.predicates import CONVERSE, Predicate, frame_of
from joyai_ros.scene.types import Scene

DATA = Path(os.environ.get("JOYAI_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ycb_tabletop"
TOLERANCES = (0.06, 0.08)  # share of the height; and as many metres as hundredths of it: 6% or 6 mm
LEAST_OVERLAP = 0.5
LEAST_FOUND = 9


@dataclass(frozen=True)
class YcbFrame:
    """One annotated frame: the observation with its boxes, true heights in metres by id, and true relations."""

    name: str
    observation: Observation
    heights: dict[str, float]
    relations: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Height:
    """One measured height beside the true one, metres; NaN where the object was not found."""

    frame: str
    object: str
    measured: float
    sigma: float
    true: float

    def within(self, share: float) -> bool:
        """Whether the error is at most this share of the true height, or a tenth of the share in metres."""
        return abs(self.measured - self.true) <= max(share * self.true, share / 10.0)


@dataclass(frozen=True)
class Claim:
    """One annotated relation: whether it is stated in its frame, and whether its converse is."""

    frame: str
    statement: tuple[str, str, str]
    stated: bool
    contradicted: bool


@dataclass(frozen=True)
class YcbScore:
    """One frame: its scenes with and without boxes, and what they are worth.

    Attributes:
        name: of the frame.
        scene, unasked: with boxes and without.
        heights, claims: of the scene with boxes.
        found: id of the cluster of each object that has one.
        objects: how many there are.
    """

    name: str
    scene: Scene
    unasked: Scene
    heights: tuple[Height, ...]
    claims: tuple[Claim, ...]
    found: dict[str, str]
    objects: int


def read_frames(folder: Path = DATA) -> list[YcbFrame]:
    """Return the annotated frames of the recording.

    Raises:
        InputError: a file is missing or broken.
    """
    described = folder / "scenes.json"
    frames = []
    for name, scene in json.loads(described.read_text())["scenes"].items():
        seen = observation_from_files(folder / f"{name}-color.png", folder / f"{name}-depth.png", described)
        detections = tuple(Detection(o["id"], o["label"], _box(*o["box"])) for o in scene["objects"])
        heights = {o["id"]: o["height_mm"] / 1000.0 for o in scene["objects"] if "height_mm" in o}
        relations = tuple((a, predicate, b) for a, predicate, b in scene["relations"])
        frames.append(YcbFrame(name, replace(seen, detections=detections), heights, relations))
    return frames


def _box(x0: float, y0: float, x1: float, y1: float) -> Box2D:
    return float(x0), float(y0), float(x1), float(y1)


def score(frame: YcbFrame) -> YcbScore:
    """Measure one frame, with its boxes and without."""
    scene = SceneEngine().process(frame.observation)
    unasked = SceneEngine().process(replace(frame.observation, detections=None))
    known = {item.id: item for item in scene.objects}
    nothing = float("nan"), float("nan")
    heights = []
    for name, true in frame.heights.items():
        measured = (known[name].height, known[name].height_sigma) if name in known else nothing
        heights.append(Height(frame.name, name, *measured, true))
    detections = frame.observation.detections or ()
    return YcbScore(
        name=frame.name,
        scene=scene,
        unasked=unasked,
        heights=tuple(heights),
        claims=tuple(_claim(frame.name, claim, scene) for claim in frame.relations),
        found=_matched(detections, unasked),
        objects=len(detections),
    )


def _claim(frame: str, statement: tuple[str, str, str], scene: Scene) -> Claim:
    subject, name, other = statement
    predicate = Predicate(name)
    stated = {(r.subject, r.predicate, r.objects, r.frame) for r in scene.relations}
    converse = (subject, CONVERSE[predicate].value, (other,), frame_of(predicate))
    return Claim(
        frame, statement, (subject, predicate.value, (other,), frame_of(predicate)) in stated, converse in stated
    )


def _matched(detections: Sequence[Detection], scene: Scene) -> dict[str, str]:
    """Return the cluster of each object: one to one, with the largest sum of overlaps of at least a half."""
    clusters = [o for o in scene.objects if o.box is not None]
    pairs = pair_boxes([d.box for d in detections], [c.box for c in clusters], LEAST_OVERLAP)
    return {detections[i].id: clusters[j].id for i, j in pairs}


def evidence() -> list[dict[str, Any]]:
    """Return what is claimed of the real frames."""
    if not DATA.is_dir():
        return [_line("YCB frames", "recording absent", "measured", None)]
    return _lines([score(frame) for frame in read_frames()])


def _lines(scores: Sequence[YcbScore]) -> list[dict[str, Any]]:
    heights = [height for item in scores for height in item.heights]
    claims = [claim for item in scores for claim in item.claims]
    lines = []
    for share in TOLERANCES:
        good = sum(height.within(share) for height in heights)
        about = f"YCB heights within {share:.0%} or {100 * share:.0f} mm"
        lines.append(_line(about, f"{good} of {len(heights)}", f"all {len(heights)}", good == len(heights)))
    stated, contradicted = sum(c.stated for c in claims), sum(c.contradicted for c in claims)
    found, objects = sum(len(item.found) for item in scores), sum(item.objects for item in scores)
    return [
        *lines,
        _line("YCB relations stated", f"{stated} of {len(claims)}", f"all {len(claims)}", stated == len(claims)),
        _line("YCB relations contradicted", f"{contradicted}", "none", not contradicted),
        _line(
            "YCB objects found as one cluster each, without boxes",
            f"{found} of {objects}",
            f"at least {LEAST_FOUND}",
            found >= LEAST_FOUND,
        ),
    ]


def _line(line: str, figure: str, target: str, ok: bool | None) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": "python -m benchmarks.scene_ycb"}


def report(scores: Sequence[YcbScore]) -> None:
    """Print heights, relations and clusters."""
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    table = Table("frame", "object", "height", "sigma", "true", "error", title="heights, mm", title_justify="left")
    for height in (height for item in scores for height in item.heights):
        error = height.measured - height.true
        mark = next((f"within {share:.0%}" for share in TOLERANCES if height.within(share)), "[red]beyond 8%[/red]")
        cells = (f"{1000 * v:.1f}" for v in (height.measured, height.sigma, height.true))
        table.add_row(height.frame, height.object, *cells, f"{1000 * error:+.1f} ({error / height.true:+.1%}), {mark}")
    console.print(table)
    for item in scores:
        for claim in item.claims:
            if not claim.stated or claim.contradicted:
                about = "[red]contradicted[/red]" if claim.contradicted else "not stated"
                console.print(f"{item.name}: {' '.join(claim.statement)}: {about}")
        missing = {o.id for o in item.scene.objects} - item.found.keys()
        about = f", without one: {', '.join(sorted(missing))}" if missing else ""
        console.print(f"{item.name}: {len(item.found)} of {item.objects} objects have a cluster{about}")
    for line in _lines(scores):
        console.print(f"{line['line']}: {line['figure']}")


def picture(frames: Sequence[YcbFrame], scores: Sequence[YcbScore]) -> ColorImage:
    """Return a row for each frame, (H, W, 3) uint8 RGB: its scene with boxes, and without."""
    rows = []
    for frame, item in zip(frames, scores, strict=True):
        seen = frame.observation
        rows.append(np.hstack([draw_scene(seen.color, scene, seen.camera) for scene in (item.scene, item.unasked)]))
    return np.vstack(rows)


def main() -> None:
    """Measure the frames, print what was found, and draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scene_ycb", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recording")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--picture", type=Path, help="draw the scenes into this file")
    arguments = parser.parse_args()
    frames = read_frames(arguments.data)
    scores = [score(frame) for frame in frames]
    report(scores)
    if arguments.json:
        arguments.json.write_text(json.dumps(_figures(scores), indent=1) + "\n")
    if arguments.picture:
        cv2.imwrite(str(arguments.picture), cv2.cvtColor(picture(frames, scores), cv2.COLOR_RGB2BGR))


def _figures(scores: Sequence[YcbScore]) -> dict[str, Any]:
    return {
        item.name: {
            "heights_m": {h.object: {"measured": h.measured, "sigma": h.sigma, "true": h.true} for h in item.heights},
            "relations": [
                {"statement": c.statement, "stated": c.stated, "contradicted": c.contradicted} for c in item.claims
            ],
            "found": item.found,
            "objects": item.objects,
        }
        for item in scores
    }


if __name__ == "__main__":
    main()
