"""``joyai-ros imagine``: what the camera of one RGB-D frame would see from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from joyai_ros.cli.files import Rig, observation_from_files, read_pose, read_rig
from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.cli.values import parse_vector
from joyai_ros.errors import InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import FILLED, View
from joyai_ros.imagination.depth_view import IMAGE_UP, DepthImaginer, ViewConfig
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.oriented import oriented_cloud
from joyai_ros.scene.up import up_from_cloud


def command(
    rgb: Annotated[Path, typer.Option("--rgb", help="Colour image (png, jpeg).")],
    depth: Annotated[Path, typer.Option("--depth", help="Depth image: 16-bit png, or float metres (tiff, exr).")],
    camera: Annotated[Path, typer.Option("--camera", help="Camera file (JSON): one camera, or color and depth.")],
    out: Annotated[Path, typer.Option("--out", help="Picture to write; the name's ending is its format.")],
    yaw: Annotated[float | None, typer.Option("--yaw", help="Degrees about up; positive: to the right.")] = None,
    pitch: Annotated[float | None, typer.Option("--pitch", help="Degrees; positive: up, looking down.")] = None,
    zoom: Annotated[float | None, typer.Option("--zoom", help="Distance is divided by it; above 1: nearer.")] = None,
    pivot: Annotated[
        str | None, typer.Option("--pivot", help="Point to turn about, x,y,z metres in the camera frame.")
    ] = None,
    pose: Annotated[Path | None, typer.Option("--pose", help="Camera-to-world pose of the frame (4x4 text).")] = None,
    target_pose: Annotated[
        Path | None, typer.Option("--target-pose", help="Camera-to-world pose to look from (4x4 text).")
    ] = None,
    pose_sigma: Annotated[
        float, typer.Option("--pose-sigma", help="How well the two poses are known, degrees; 0 keeps all detail.")
    ] = ViewConfig.pose_sigma_deg,
    up: Annotated[
        str | None, typer.Option("--up", help="Direction against gravity, x,y,z in the camera frame.")
    ] = None,
    validity: Annotated[
        Path | None, typer.Option("--validity", help="Grey picture: 255 seen, 128 filled, 0 unknown.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write camera, pose and shares; - for stdout.")
    ] = None,
) -> None:
    """Draw what the camera of one RGB-D frame would see from elsewhere.

    Say where to look from either by a motion (--yaw, --pitch, --zoom: an orbit about what the image centre shows, or
    about --pivot) or by two poses of a recording (--pose, --target-pose; of the depth camera where there are two). The
    picture comes out in the colour camera. Without --up gravity is read off the level surfaces of the frame.
    """
    motion = _motion(yaw, pitch, zoom, pivot, pose, target_pose)
    given_up = None if up is None else parse_vector(up, "--up")
    observation = observation_from_files(rgb, depth, camera, up=given_up)
    imaginer = DepthImaginer(ViewConfig(pose_sigma_deg=pose_sigma))
    if motion is not None:
        where = None if pivot is None else parse_vector(pivot, "--pivot")
        level, up_source = _up(observation)
        view = imaginer.imagine(observation, motion, where, level)
    else:
        up_source = "not needed"
        view = imaginer.imagine_pose(observation, _source_from_view(read_rig(camera), pose, target_pose))
    write_picture(out, view.image)
    if validity is not None:
        write_picture(validity, view.validity)
    if json_file is not None:
        write_json(json_file, _summary(view, up_source))
    if str(json_file) != "-":
        typer.echo(f"{out}: {view.seen_fraction:.0%} seen, {_share(view, FILLED):.0%} filled")


def _motion(
    yaw: float | None,
    pitch: float | None,
    zoom: float | None,
    pivot: str | None,
    pose: Path | None,
    target_pose: Path | None,
) -> CameraMotion | None:
    """Return the motion that was asked for, or None where it is two poses."""
    has_motion = any(value is not None for value in (yaw, pitch, zoom, pivot))
    if has_motion and (pose is not None or target_pose is not None):
        raise InputError(
            "give a motion (--yaw, --pitch, --zoom, --pivot) or two poses (--pose, --target-pose), not both"
        )
    if (pose is None) != (target_pose is None):
        raise InputError("--pose and --target-pose go together: where the frame was taken, and where to look from")
    if pose is not None:
        return None
    if yaw is None and pitch is None and zoom is None:
        raise InputError("say where to look from: --yaw, --pitch or --zoom, or --pose and --target-pose")
    return CameraMotion(yaw or 0.0, pitch or 0.0, 1.0 if zoom is None else zoom)


def _source_from_view(rig: Rig, pose: Path | None, target_pose: Path | None) -> Mat4:
    """Return the target colour camera's pose in the frame's colour camera; the files hold the depth camera's poses."""
    if pose is None or target_pose is None:
        raise InputError("--pose and --target-pose go together")
    moved = rigid.inverse(read_pose(pose)) @ read_pose(target_pose)
    if rig.color_from_depth is None:
        return moved
    return np.asarray(rig.color_from_depth @ moved @ rigid.inverse(rig.color_from_depth))


def _up(observation: Observation) -> tuple[Vec3, str]:
    """Return up in the camera frame and where it comes from."""
    if observation.up is not None:
        return observation.up, "given"
    if observation.depth is not None:
        found = up_from_cloud(oriented_cloud(observation.depth, observation.camera))
        if found is not None:
            return found, "cloud"
    return IMAGE_UP, "image"


def _share(view: View, value: int) -> float:
    return float(np.mean(view.validity == value))


def _summary(view: View, up_source: str) -> dict[str, Any]:
    camera = view.camera
    return {
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "fx": camera.fx,
            "fy": camera.fy,
            "cx": camera.cx,
            "cy": camera.cy,
        },
        "source_from_view": view.source_from_view.tolist(),
        "up_source": up_source,
        "seen": view.seen_fraction,
        "filled": _share(view, FILLED),
    }
