"""The picture of docs/sequences.md: one engine on a camera that moves round a table while an object is carried elsewhere.

``python -m benchmarks.scene_sequence --out docs/images/sequence.jpg``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from joyai_ros.cli.demo_pictures import MapItem, contact_sheet, draw_map
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.scene.drawing import Color, draw_scene, object_colors
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import Scene
from joyai_ros.sim.frames import SimFrame, SimSettings, simulate
from joyai_ros.sim.truth import TABLE

SEED, FRAMES = 9, 12
WIDTH = 1400  # pixels
_MISSING: Color = (150, 150, 150)

Taken = tuple[SimFrame, Scene]


def film(seed: int) -> list[Taken]:
    """Return the frames of a sweep in which one object is carried elsewhere, and the scene after each."""
    engine = SceneEngine()
    frames = simulate(seed, FRAMES, SimSettings(moves=1), "true")
    return [(frame, engine.process(frame.observation)) for frame in frames]


def sheet(takes: list[Taken]) -> ColorImage:
    """Return three frames of a sweep over the maps of its first and last one, (H, WIDTH, 3) uint8 RGB."""
    frames = [
        (_caption(takes[index], index), _drawn(takes[index])) for index in (0, len(takes) * 2 // 3, len(takes) - 1)
    ]
    maps = [
        ("measured from the first frame alone", _map(takes[:1])),
        (f"after {len(takes)} frames: fused boxes, what is out of sight remembered", _map(takes)),
    ]
    return contact_sheet([frames, maps], WIDTH)


def _caption(take: Taken, index: int) -> str:
    items = take[1].objects
    moved = ", ".join(item.id for item in items if item.moved)
    hidden = ", ".join(f"{item.id} ({item.age:.1f} s)" for item in items if not item.visible)
    parts = [f"frame {index + 1}", f"moved: {moved}" if moved else "", f"remembered: {hidden}" if hidden else ""]
    return "; ".join(part for part in parts if part)


def _drawn(take: Taken) -> ColorImage:
    frame, scene = take
    seen = frame.observation
    return draw_scene(seen.color, scene, seen.camera)[:, : seen.camera.width]


def _map(takes: list[Taken]) -> ColorImage:
    frame, scene = takes[-1]
    truth = frame.truth
    measured = {item.id: item.obb.transformed(truth.world_from_camera) for item in scene.objects}
    colors = object_colors(scene)
    items = [
        MapItem(true.id, measured.get(true.id), true.box, colors.get(true.id, _MISSING)) for true in truth.world.objects
    ]
    table = next(support.outline for support in truth.world.supports if support.owner == TABLE)
    return draw_map(items, table, [taken.truth.world_from_camera for taken, _ in takes], truth.camera, 800, 520)


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scene_sequence", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of tabletop-v1 (default: {SEED})")
    parser.add_argument("--out", type=Path, default=Path("docs/images/sequence.jpg"))
    arguments = parser.parse_args()
    picture = cv2.cvtColor(sheet(film(arguments.seed)), cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(arguments.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        parser.error(f"cannot write {arguments.out}")


if __name__ == "__main__":
    main()
