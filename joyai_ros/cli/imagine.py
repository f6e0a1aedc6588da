"""``joyai-ros imagine``: what the camera of one frame would see from elsewhere, from depth or as a model draws it."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from joyai_ros.cli.drawing import (
    JsonOption,
    ModelOption,
    OutOption,
    Painter,
    PresetOption,
    SeedOption,
    SetOption,
    SizeOption,
    StepsOption,
    open_by_options,
    step_bar,
)
from joyai_ros.cli.files import observation_from_files, read_pose, read_rig
from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.cli.values import parse_vector
from joyai_ros.cli.view_report import model_view_to_json, view_in_words, view_to_json
from joyai_ros.errors import DepthError, InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import View
from joyai_ros.imagination.depth_view import IMAGE_UP, DepthImaginer, ViewConfig
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.model_view import Drawing, ModelView
from joyai_ros.imagination.requests import towards
from joyai_ros.reasoning.instructions import motion_from_words
from joyai_ros.reasoning.question import Look
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.oriented import oriented_cloud
from joyai_ros.scene.up import up_from_cloud


class Method(str, enum.Enum):
    """How a view is made."""

    DEPTH = "depth"
    MODEL = "model"
    BOTH = "both"


@dataclass(frozen=True)
class _Asked:
    """A motion, what it turns about and where up is, in the frame's optical frame; and where up comes from.

    Where a pose is asked for, the motion only leads near it.
    """

    motion: CameraMotion
    pivot: Vec3
    up: Vec3
    up_source: str
    pose: Mat4 | None = None
    missed: dict[str, float] | None = None


def command(
    rgb: Annotated[Path, typer.Option("--rgb", help="Colour image (png, jpeg).")],
    out: OutOption,
    depth: Annotated[
        Path | None, typer.Option("--depth", help="Depth image: 16-bit png, or float metres (tiff, exr).")
    ] = None,
    camera: Annotated[
        Path | None, typer.Option("--camera", help="Camera file (JSON): one camera, or color and depth.")
    ] = None,
    yaw: Annotated[float | None, typer.Option("--yaw", help="Degrees about up; positive: to the right.")] = None,
    pitch: Annotated[float | None, typer.Option("--pitch", help="Degrees; positive: up, looking down.")] = None,
    zoom: Annotated[float | None, typer.Option("--zoom", help="Distance is divided by it; above 1: nearer.")] = None,
    pivot: Annotated[
        str | None, typer.Option("--pivot", help="Point to turn about, x,y,z metres in the camera frame.")
    ] = None,
    words: Annotated[
        str | None, typer.Option("--words", help='Instead: "a bit higher and closer", "the cup from the other side".')
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option("--boxes", help="2D boxes (JSON): objects that --words may name.")
    ] = None,
    pose: Annotated[Path | None, typer.Option("--pose", help="Camera-to-world pose of the frame (4x4 text).")] = None,
    target_pose: Annotated[
        Path | None, typer.Option("--target-pose", help="Camera-to-world pose to look from (4x4 text).")
    ] = None,
    pose_sigma: Annotated[
        float,
        typer.Option("--pose-sigma", help="How well poses a degree apart are known, degrees; 0 keeps all detail."),
    ] = ViewConfig.pose_sigma_deg,
    auto_exposure: Annotated[
        bool,
        typer.Option("--auto-exposure/--fixed-exposure", help="Expose for what is seen from --target-pose, or not."),
    ] = ViewConfig.auto_exposure,
    up: Annotated[
        str | None, typer.Option("--up", help="Direction against gravity, x,y,z in the camera frame.")
    ] = None,
    validity: Annotated[
        Path | None, typer.Option("--validity", help="Grey picture: 255 seen, 128 filled, 0 unknown.")
    ] = None,
    method: Annotated[Method, typer.Option("--method", help="Who draws: depth, a model, or both.")] = Method.DEPTH,
    model: ModelOption = "",
    preset: PresetOption = "",
    steps: StepsOption = None,
    seed: SeedOption = 0,
    size: SizeOption = 0,
    guide: Annotated[
        float | None, typer.Option("--guide", help="0 to 1: the model begins at the measured surface; 1: from noise.")
    ] = None,
    keep_seen: Annotated[
        bool, typer.Option("--keep-seen/--drawn-only", help="Measured pixels replace what the model drew there.")
    ] = True,
    assignments: SetOption = None,
    json_file: JsonOption = None,
) -> None:
    """Draw what the camera of one frame would see from elsewhere.

    Say where to look from either by a motion (--yaw, --pitch, --zoom: an orbit about what the image centre shows, or
    about --pivot), in --words, or by two poses of a recording (--pose, --target-pose; of the depth camera where there are
    two). The picture comes out in the colour camera. Without --up gravity is read off the level surfaces of the frame. A
    model (--method model) is told a motion, for a pose the nearest one; its view is held against --depth where there is
    any. With both, the depth view stands beside FILE as NAME_depth.
    """
    motion = _motion(yaw, pitch, zoom, pivot, words, pose, target_pose)
    direction = None if up is None else parse_vector(up, "--up")
    observation = observation_from_files(rgb, depth, camera, boxes, direction)
    if depth is None and method is not Method.MODEL:
        raise DepthError(f"method {method.value} needs a depth image; give --depth, or --method model")
    imaginer = DepthImaginer(ViewConfig(pose_sigma_deg=pose_sigma, auto_exposure=auto_exposure))
    if motion is None:
        wanted = _source_from_view(camera, pose, target_pose)
        if method is Method.DEPTH:  # which needs no up
            view = imaginer.imagine_pose(observation, wanted)
            return _write(out, validity, json_file, view, view_to_json(view, "not needed"))
        asked = _asked_pose(observation, wanted)
    elif words is not None:
        asked = _asked(observation, *_told(observation, words))
    else:
        asked = _asked(observation, motion, None if pivot is None else parse_vector(pivot, "--pivot"))
    by_depth = None
    if method is not Method.MODEL:
        by_depth = _from_depth(imaginer, observation, asked)
        if method is Method.DEPTH:
            return _write(out, validity, json_file, by_depth, view_to_json(by_depth, asked.up_source))
    # What is wrong with it is refused before a model is loaded; preset and settings come with the model.
    how = Drawing(Preset(), size, seed, 1.0 if guide is None else guide, keep_seen=keep_seen)
    made = _draw(open_by_options(model, preset, steps, size, assignments), observation, asked, how, guide)
    said = model_view_to_json(made, asked.up_source) | ({} if asked.missed is None else {"missed": asked.missed})
    if by_depth is not None:
        write_picture(out.with_name(f"{out.stem}_depth{out.suffix}"), by_depth.image)
        said = {"depth": view_to_json(by_depth, asked.up_source), "model": said}
    return _write(out, validity, json_file, made.view, said)


def _told(observation: Observation, words: str) -> tuple[CameraMotion, Vec3 | None]:
    """Return the motion that words ask for, and the middle of the object that they name; None where they name none."""
    said = motion_from_words(words, Look(observation, SceneEngine().process(observation)))
    return said.motion, said.pivot


def _asked(observation: Observation, motion: CameraMotion, pivot: Vec3 | None) -> _Asked:
    """Return what a motion turns about.

    Raises:
        MotionError: there is no such view.
    """
    where = default_pivot(observation.camera, observation.depth) if pivot is None else pivot
    asked = _Asked(motion, where, *_up(observation))
    orbit(motion, asked.pivot, asked.up)
    return asked


def _asked_pose(observation: Observation, pose: Mat4) -> _Asked:
    """Return the motion that a model is told for a pose, and by how much it misses it.

    Raises:
        RequestError: by too much.
        MotionError: there is no such view.
    """
    where, (up, source) = default_pivot(observation.camera, observation.depth), _up(observation)
    found = towards(pose, where, up)
    missed = {"angle_deg": math.degrees(found.turned), "metres": found.moved}
    return _Asked(found.motion, where, up, source, pose, missed)


def _from_depth(imaginer: DepthImaginer, observation: Observation, asked: _Asked) -> View:
    if asked.pose is not None:
        return imaginer.imagine_pose(observation, asked.pose)
    return imaginer.imagine(observation, asked.motion, asked.pivot, asked.up)


def _draw(painter: Painter, observation: Observation, asked: _Asked, how: Drawing, guide: float | None) -> ModelView:
    """Return the view that a model draws; what was not asked for is as its settings say."""
    config = painter.opened.config
    strength = config.strength if guide is None else guide
    how = replace(how, preset=painter.preset, size=config.size, strength=strength, show_surface=config.show_surface)
    with step_bar("drawing") as on_step:
        return painter.opened.imaginer.imagine(
            observation, asked.motion, how, asked.pivot, asked.up, on_step=on_step, pose=asked.pose
        )


def _write(out: Path, validity: Path | None, json_file: Path | None, view: View, said: dict[str, Any]) -> None:
    write_picture(out, view.image)
    if validity is not None:
        write_picture(validity, view.validity)
    if json_file is not None:
        write_json(json_file, said)
    if str(json_file) != "-":
        typer.echo(f"{out}: {view_in_words(view)}")


def _motion(
    yaw: float | None,
    pitch: float | None,
    zoom: float | None,
    pivot: str | None,
    words: str | None,
    pose: Path | None,
    target_pose: Path | None,
) -> CameraMotion | None:
    """Return the motion that was asked for (none, where it is in words), or None where it is two poses."""
    has_numbers = any(value is not None for value in (yaw, pitch, zoom, pivot))
    has_poses = pose is not None or target_pose is not None
    if has_numbers + has_poses + (words is not None) > 1:
        raise InputError(
            "give a motion (--yaw, --pitch, --zoom, --pivot), or --words, or two poses (--pose, --target-pose): one of them"
        )
    if words is not None:
        return CameraMotion()
    if (pose is None) != (target_pose is None):
        raise InputError("--pose and --target-pose go together: where the frame was taken, and where to look from")
    if pose is not None:
        return None
    if yaw is None and pitch is None and zoom is None:
        raise InputError("say where to look from: --yaw, --pitch or --zoom, --words, or --pose and --target-pose")
    return CameraMotion(yaw or 0.0, pitch or 0.0, 1.0 if zoom is None else zoom)


def _source_from_view(camera: Path | None, pose: Path | None, target_pose: Path | None) -> Mat4:
    """Return the target colour camera's pose in the frame's colour camera; the files hold the depth camera's poses."""
    if camera is None:
        raise InputError("two poses need the camera that they are of; give --camera")
    if pose is None or target_pose is None:
        raise InputError("--pose and --target-pose go together")
    rig = read_rig(camera)
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
