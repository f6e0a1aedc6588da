"""The pictures of docs/camera-motion.md: what yaw, pitch and zoom do, and what validity means.

Each view is imagined from one noisy simulated frame of tabletop-v1; the sketches are drawn from the same poses.

    python -m benchmarks.draw_camera_motion [--out docs/images]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from joyai_ros.cli.demo_pictures import CAMERA, INK, PAPER, contact_sheet, draw_validity
from joyai_ros.cli.output import write_picture
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Float, Mat4, Vec3
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.scene.observation import Observation
from joyai_ros.sim.frames import SimSettings, simulate
from joyai_ros.sim.tabletop import TabletopSim

SEED = 3
WIDTH = 1280  # pixels of a sheet
ROWS = (
    ("yaw", CameraMotion(yaw_deg=-15), CameraMotion(yaw_deg=15)),
    ("pitch", CameraMotion(pitch_deg=-12), CameraMotion(pitch_deg=15)),
    ("zoom", CameraMotion(zoom=0.75), CameraMotion(zoom=1.5)),
)
WIDE_TURN = CameraMotion(yaw_deg=25, pitch_deg=8)
START = (150, 150, 150)


def main() -> None:
    """Draw both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    folder = parser.parse_args().out
    frame = next(simulate(SEED, 1, SimSettings(whole="none"), "none"))
    observation = replace(frame.observation, up=frame.truth.up)
    write_picture(folder / "camera-motion.jpg", motions_sheet(observation))
    write_picture(folder / "view-validity.jpg", validity_sheet(observation))


def motions_sheet(observation: Observation) -> ColorImage:
    """Return a sheet of one row a number: where the cameras stand, and what they see."""
    imaginer = DepthImaginer()
    rows = []
    for name, less, more in ROWS:
        views = [(_caption(motion), imaginer.imagine(observation, motion).image) for motion in (less, more)]
        row = [(f"{name}: the cameras", sketch(observation, (less, more), from_above=name != "pitch")), views[0]]
        rows.append([*row, ("the frame itself", observation.color), views[1]])
    return contact_sheet(rows, WIDTH)


def validity_sheet(observation: Observation) -> ColorImage:
    """Return a sheet of a wide turn: the frame, the view, its validity in colours, and the truth."""
    view = DepthImaginer().imagine(observation, WIDE_TURN)
    with TabletopSim(SEED) as simulator:
        true = simulator.render(view.world_from_view, view.camera)
    first = [("the frame", observation.color), (f"imagined: {_caption(WIDE_TURN)}", view.image)]
    second = [
        ("filled: yellow, unknown: magenta", draw_validity(view.image, view.validity)),
        ("what is really there", true),
    ]
    return contact_sheet([first, second], WIDTH)


def _caption(motion: CameraMotion) -> str:
    parts = [f"{name} {value:+.0f}" for name, value in (("yaw", motion.yaw_deg), ("pitch", motion.pitch_deg)) if value]
    if motion.zoom != 1.0:
        parts.append(f"zoom {motion.zoom:g}")
    return ", ".join(parts)


def sketch(observation: Observation, motions: tuple[CameraMotion, CameraMotion], from_above: bool) -> ColorImage:
    """Return a drawing of the frame's camera (grey) and the moved ones (blue) about the pivot, from above or the side."""
    if observation.depth is None or observation.up is None:
        raise ValueError("a sketch needs depth and up")
    size = observation.camera.size
    picture = np.full((size[1], size[0], 3), PAPER, dtype=np.uint8)
    pivot = default_pivot(observation.camera, observation.depth)
    axes = _axes(observation.up, from_above)
    poses = [orbit(motion, pivot, observation.up) for motion in motions]
    points = np.stack([axes @ point for point in (pivot, np.zeros(3), *(pose[:3, 3] for pose in poses))])
    extent = np.maximum(np.ptp(points, axis=0), 0.3)
    scale = float(min(0.62 * np.array(size) / extent))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2

    def place(point: Vec3) -> tuple[int, int]:
        x, y = (axes @ point - middle) * scale + np.array(size) / 2
        return round(float(x)), round(float(y))

    cv2.circle(picture, place(pivot), 7, (200, 60, 40), -1, cv2.LINE_AA)
    _label(picture, "pivot", place(pivot))
    for pose, color, text in (
        (np.eye(4), START, ""),
        *zip(poses, (CAMERA, CAMERA), map(_caption, motions), strict=True),
    ):
        cv2.line(picture, place(pose[:3, 3]), place(pivot), (215, 212, 205), 1, cv2.LINE_AA)
        _draw_camera(picture, [place(p) for p in _wedge(pose, observation)], color)
        _label(picture, text, place(pose[:3, 3]))
    _label(picture, "from above" if from_above else "from the right side", (4, 24))
    return picture


def _axes(up: Vec3, from_above: bool) -> Float:
    """Return the (2, 3) axes of the drawing in the frame's camera: to the right and down on paper."""
    forward = rigid.unit(np.array([0.0, 0.0, 1.0]) - up[2] * up)
    right = np.cross(forward, up)
    return np.stack([right, -forward]) if from_above else np.stack([forward, -up])


def _wedge(pose: Mat4, observation: Observation) -> list[Vec3]:
    """Return the corners of a small field of view of a camera, metres."""
    half = 0.09 * observation.camera.width / 2 / observation.camera.fx
    corners = np.array([[0.0, 0.0, 0.0], [-half, 0.0, 0.09], [half, 0.0, 0.09]])
    return list(rigid.apply(pose, corners))


def _draw_camera(picture: ColorImage, corners: list[tuple[int, int]], color: tuple[int, int, int]) -> None:
    cv2.fillPoly(picture, [np.array(corners)], color, cv2.LINE_AA)
    cv2.circle(picture, corners[0], 6, color, -1, cv2.LINE_AA)


def _label(picture: ColorImage, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, (at[0] + 14, at[1] + 8), cv2.FONT_HERSHEY_SIMPLEX, 0.85, INK, 2, cv2.LINE_AA)


if __name__ == "__main__":
    main()
