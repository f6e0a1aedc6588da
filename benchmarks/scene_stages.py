"""The picture of docs/scene.md: how one simulated frame becomes a scene, step by step.

``python -m benchmarks.scene_stages --out docs/images/scene-stages.jpg``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.drawing import draw_scene, object_colors
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.frame import frame_geometry
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene
from joyai_ros.sim.frames import simulate

SEED = 11
PLANE = (90, 200, 120)  # RGB
_ON_PLANE = 0.012  # metres
_CAPTION = 26  # pixels


def stages(seed: int) -> ColorImage:
    """Return four pictures of the first frame of a scene of ``tabletop-v1``, two by two, (H, W, 3) uint8 RGB."""
    observation = next(simulate(seed)).observation
    scene = SceneEngine().process(observation)
    measured = draw_scene(observation.color, scene, observation.camera)[:, : observation.camera.width]
    shown = (
        ("1  depth as measured: black where there is none", _depth(observation)),
        ("2  support plane (green) and pieces of surface", _pieces(observation)),
        ("3  pixels of each object, and the boxes that were given", _pixels(observation, scene)),
        ("4  measured boxes", measured),
    )
    tiles = [_captioned(text, picture) for text, picture in shown]
    return np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])


def _captioned(text: str, picture: ColorImage) -> ColorImage:
    strip = np.full((_CAPTION, picture.shape[1], 3), 255, dtype=np.uint8)
    cv2.putText(strip, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([strip, picture])


def _depth(observation: Observation) -> ColorImage:
    assert observation.depth is not None
    there = observation.depth > 0
    near, far = np.percentile(observation.depth[there], (1, 97))
    scaled = np.clip((far - observation.depth) / (far - near), 0, 1)
    picture = cv2.cvtColor(cv2.applyColorMap((255 * scaled).astype(np.uint8), cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return np.where(there[..., None], picture, 0).astype(np.uint8)


def _pieces(observation: Observation) -> ColorImage:
    frame = frame_geometry(observation, SceneConfig())
    picture = cv2.cvtColor(cv2.cvtColor(observation.color, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for view in frame.views:
        near = np.abs(view.height) < _ON_PLANE
        picture = _tinted(picture, near & (frame.depth > 0) & view.outline, PLANE)
    random = np.random.default_rng(3)
    for label in range(1, frame.clusters.count + 1):
        picture = _tinted(picture, frame.clusters.labels == label, tuple(random.integers(60, 256, 3).tolist()), 0.75)
    return picture


def _pixels(observation: Observation, scene: Scene) -> ColorImage:
    picture = observation.color // 2 + 90
    colors = object_colors(scene)
    for item in scene.objects:
        if item.box is None or item.mask is None:
            continue
        where = np.zeros(observation.camera.shape, dtype=bool)
        top, left = int(item.box[1]), int(item.box[0])
        where[top : top + item.mask.shape[0], left : left + item.mask.shape[1]] = item.mask
        picture = _tinted(picture, where, colors[item.id], 0.8)
        corners = [round(value) for value in item.box]
        cv2.rectangle(picture, corners[:2], corners[2:], colors[item.id], 1, cv2.LINE_AA)
    return picture


def _tinted(picture: ColorImage, where: NDArray[np.bool_], color: tuple[int, ...], share: float = 0.5) -> ColorImage:
    mixed = (1.0 - share) * picture[where] + share * np.array(color)
    result = picture.copy()
    result[where] = mixed.astype(np.uint8)
    return result


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scene_stages", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of tabletop-v1 (default: {SEED})")
    parser.add_argument("--out", type=Path, default=Path("docs/images/scene-stages.jpg"))
    arguments = parser.parse_args()
    picture = cv2.cvtColor(stages(arguments.seed), cv2.COLOR_RGB2BGR)
    picture = cv2.resize(picture, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    if not cv2.imwrite(str(arguments.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        parser.error(f"cannot write {arguments.out}")


if __name__ == "__main__":
    main()
