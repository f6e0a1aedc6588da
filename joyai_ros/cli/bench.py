"""``joyai-ros bench``: how long scenes, depth views and bags take on this machine, and what a drawn view asks for."""

from __future__ import annotations

import enum
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.bags.writer import BagWriter
from joyai_ros.cli.bench_imagine import DEFAULT_SIZE, count_imagine, show_imagine
from joyai_ros.cli.files import observation_from_files
from joyai_ros.cli.machine import processor
from joyai_ros.cli.output import write_json
from joyai_ros.cli.synthetic import synthetic_observation
from joyai_ros.errors import InputError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.detections import detections_2d_message
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, depth_mm_message
from joyai_ros.perception.bag_run import process_bag
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation

MOTION = CameraMotion(yaw_deg=20.0, pitch_deg=10.0)
MADE_UP_FRAMES = 90
DEFAULT_REPEAT = 30
_WARM_UP = 2  # runs that are not counted: caches fill, libraries load

Figures = dict[str, Any]


class What(str, enum.Enum):
    """What is timed, or counted."""

    SCENE = "scene"
    VIEW = "view"
    BAG = "bag"
    IMAGINE = "imagine"


def command(
    what: Annotated[
        What, typer.Argument(help="The scene of a frame, a depth view of it, a whole bag, or a drawn view.")
    ],
    rgb: Annotated[Path | None, typer.Option("--rgb", help="Colour image of a frame.")] = None,
    depth: Annotated[Path | None, typer.Option("--depth", help="Its depth image.")] = None,
    camera: Annotated[Path | None, typer.Option("--camera", help="Its camera file (JSON).")] = None,
    boxes: Annotated[Path | None, typer.Option("--boxes", help="2D boxes of its objects (JSON).")] = None,
    bag: Annotated[Path | None, typer.Option("--bag", help="A bag; without it one is made up.")] = None,
    repeat: Annotated[
        int | None, typer.Option("--repeat", min=3, max=10000, help="Timed runs on a frame; default: 30.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="CARD", help="Model card that draws, or its folder, for imagine.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Of the drawn views, pixels; default: 64.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here; - for stdout.")] = None,
) -> None:
    """Time scenes, depth views or a whole bag on this machine, or count what a drawn view asks for.

    Without a frame or a bag of your own the input is made up: ten boxes on a table, 640x480. A frame's figures are
    wall-clock times of one call on one core; a bag's are frames per second, reading, decoding and writing included.
    imagine counts: of views that --model draws, by diffusers and by ours; and at the real network's shapes, not run.
    """
    frame = (rgb, depth, camera, boxes)
    _refuse_what_does_not_fit(what, any(frame), bag, repeat, model, size)
    if what is What.IMAGINE:
        counted = count_imagine(model or "", DEFAULT_SIZE if size is None else size)
        _hand_out(counted, json_file, lambda console: show_imagine(counted, console))
        return
    cv2.setNumThreads(1)
    figures = time_bag(bag) if what is What.BAG else time_frame(what, _observation(*frame), repeat or DEFAULT_REPEAT)
    figures |= {"peak_memory_mb": _peak_megabytes(), "cpu": processor()}
    _hand_out(figures, json_file, lambda console: _show(figures, console))


def _refuse_what_does_not_fit(
    what: What, has_frame: bool, bag: Path | None, repeat: int | None, model: str | None, size: int | None
) -> None:
    """Refuse options of another benchmark.

    Raises:
        InputError: there are such options.
    """
    if what is What.IMAGINE:
        if has_frame or bag is not None or repeat is not None:
            raise InputError(
                "'bench imagine' takes no frame, no bag and no --repeat; give --model and --size, or nothing"
            )
        if size is not None and not model:
            raise InputError("--size is that of the views that a model draws; give --model as well")
        return
    if model is not None or size is not None:
        raise InputError(f"'bench {what.value}' draws nothing by a model; --model and --size are for 'bench imagine'")
    if what is What.BAG and has_frame:
        raise InputError("'bench bag' times a bag; give --bag, or nothing to have one made up")
    if what is not What.BAG and bag is not None:
        raise InputError(f"'bench {what.value}' times a frame; give --rgb, --depth and --camera, or nothing")


def _hand_out(figures: Figures, json_file: Path | None, show: Callable[[Console], None]) -> None:
    if json_file is not None:
        write_json(json_file, figures)
    if str(json_file) != "-":
        show(Console(highlight=False))


def _show(figures: Figures, console: Console) -> None:
    for name, value in figures.items():
        console.print(f"{name:<18}{round(value, 2) if isinstance(value, float) else value}", markup=False)


def time_frame(what: What, observation: Observation, repeat: int) -> Figures:
    """Return how long the scene or a depth view of one frame takes, milliseconds."""
    camera = observation.camera
    about = {"bench": what.value, "image": f"{camera.width}x{camera.height}"}
    if what is What.VIEW:
        imaginer = DepthImaginer()
        return about | _timed(lambda: imaginer.imagine(observation, MOTION), repeat)
    scene = SceneEngine().process(observation)
    return about | {"objects": len(scene.objects)} | _timed(lambda: SceneEngine().process(observation), repeat)


def time_bag(bag: Path | None) -> Figures:
    """Return how fast a bag goes through the perception; None for one that is made up."""
    with tempfile.TemporaryDirectory(prefix="joyai-bench-") as folder:
        source = bag if bag is not None else _made_up_bag(Path(folder) / "made_up")
        report = process_bag(source, Path(folder) / "out")
        return {
            "bench": "bag",
            "input": "made up" if bag is None else str(bag),
            "frames": report.frames,
            "views": report.views,
            "seconds": report.run_seconds,
            "frames_per_second": report.frames / max(report.run_seconds, 1e-9),
            "rejected": sum(item.count for item in report.rejections),
        }


def _made_up_bag(path: Path) -> Path:
    """Write a bag of one frame seen again and again at 30 Hz by a camera that stands still."""
    seen, factory = synthetic_observation(), RosbagsFactory()
    with BagWriter(path) as writer:
        for index in range(MADE_UP_FRAMES):
            stamp = round(index / 30.0 * 1e9)
            head = header(factory, stamp, seen.frame_id)
            info = info_message(factory, head, seen.camera)
            writer.write("/color/image_raw", "sensor_msgs/msg/Image", color_message(factory, head, seen.color), stamp)
            writer.write("/color/camera_info", "sensor_msgs/msg/CameraInfo", info, stamp)
            if seen.depth is not None:
                depth = depth_mm_message(factory, head, seen.depth)
                writer.write("/depth/image_raw", "sensor_msgs/msg/Image", depth, stamp)
                writer.write("/depth/camera_info", "sensor_msgs/msg/CameraInfo", info, stamp)
            found = detections_2d_message(factory, head, seen.detections or ())
            writer.write("/detections", "vision_msgs/msg/Detection2DArray", found, stamp)
    return path


def _observation(rgb: Path | None, depth: Path | None, camera: Path | None, boxes: Path | None) -> Observation:
    if rgb is None and depth is None and camera is None and boxes is None:
        return synthetic_observation()
    if rgb is None or depth is None or camera is None:
        raise InputError("a frame of your own needs --rgb, --depth and --camera; give all three, or none")
    return observation_from_files(rgb, depth, camera, boxes)


def _timed(work: Callable[[], object], repeat: int) -> Figures:
    for _ in range(_WARM_UP):
        work()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(1000.0 * (time.perf_counter() - started))
    return {
        "median_ms": float(np.median(times)),
        "p95_ms": float(np.percentile(times, 95)),
        "min_ms": min(times),
        "repeat": repeat,
    }


def _peak_megabytes() -> float:
    """Return the most memory that this process has held; Linux counts kilobytes, macOS bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most / (1e6 if sys.platform == "darwin" else 1e3))
