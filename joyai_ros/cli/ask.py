"""``joyai-ros ask``: a question about one or more images, checked against measured depth where there is any."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from joyai_ros.cli.clips import is_clip, read_clip
from joyai_ros.cli.files import observation_from_files
from joyai_ros.cli.output import write_json
from joyai_ros.cli.scene import relation_to_json
from joyai_ros.cli.values import parse_vector
from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.geometry.cameras import assumed_camera
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.config import AskConfig
from joyai_ros.reasoning.imagined import from_depth, open_views
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.reasoning.wording import number_in_words
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Status
from joyai_ros.settings import load
from joyai_ros.understanding.config import NO_MODEL, ModelConfig
from joyai_ros.understanding.opening import open_model
from joyai_ros.understanding.tasks import MOST_VIEWS


@dataclass(frozen=True)
class AskSettings:
    """What ``--config`` and ``--set`` know."""

    ask: AskConfig = field(default_factory=AskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)


def command(
    words: Annotated[
        list[str], typer.Argument(metavar="IMAGE... QUESTION", help="Images or a clip, and the question in quotes.")
    ],
    task: Annotated[str, typer.Option("--task", help="Name in the task table; else told from the words.")] = "",
    model: Annotated[str | None, typer.Option("--model", metavar="CARD", help="Card or folder, or none.")] = None,
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="OpenAI-compatible server.")] = None,
    depth: Annotated[list[Path] | None, typer.Option("--depth", help="Depth image; one for each image.")] = None,
    camera: Annotated[
        list[Path] | None, typer.Option("--camera", help="Camera file (JSON); one for all, or each.")
    ] = None,
    boxes: Annotated[list[Path] | None, typer.Option("--boxes", help="2D boxes (JSON); one for each image.")] = None,
    pose: Annotated[list[Path] | None, typer.Option("--pose", help="Camera-to-world pose; one for each image.")] = None,
    up: Annotated[str | None, typer.Option("--up", help="Against gravity, x,y,z in the first camera's frame.")] = None,
    objects: Annotated[str, typer.Option("--objects", metavar="ID,ID", help="What it is about, by ids.")] = "",
    choices: Annotated[str, typer.Option("--choices", metavar="A,B", help="What may be answered.")] = "",
    views: Annotated[int, typer.Option("--views", min=0, max=16, help="Imagined views the model may see.")] = 0,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings (YAML).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. ask.policy=abstain.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the answer as JSON; - for stdout.")] = None,
) -> None:
    """Answer a question about one or more images. With depth the same is measured, and the answer says how the two
    compare; without a model geometry answers alone.
    """
    if len(words) < 2:
        raise InputError("give at least one image and then the question, in quotes if it has several words")
    settings = load(AskSettings, config, assignments or ())
    images = [Path(word) for word in words[:-1]]
    has_clip = any(map(is_clip, images))
    task = task or ("clip" if has_clip and not choices else "")
    question = Question(words[-1], task, _listed(choices), _listed(objects), views)
    direction = None if up is None else parse_vector(up, "--up")
    files = _files(images, depth or [], camera or [], boxes or [], pose or [])
    observations = _of_clip(files) if has_clip else _of_images(files, direction)
    # Each image is a sequence of its own: what one shows is no memory for the next.
    looks = [Look(item, SceneEngine(settings.scene).process(item)) for item in observations]
    with closing(open_model(model_of_options(settings.model, model, server))) as opened:
        imagine = open_views(settings.imagination) if views and opened.backend is not None else from_depth
        asker = Asker(opened.backend, settings.ask, settings.scene.relations, opened.confidence, imagine)
        answer = asker.ask(question, looks)
    if json_file is not None:
        write_json(json_file, answer_to_json(answer))
    if str(json_file) != "-":
        _print(answer)


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain values: metres and radians, pixels of the first image; null where a value is unknown."""
    return {
        "question": answer.question,
        "task": answer.task,
        "text": answer.text,
        "choice": answer.choice,
        "value": answer.value,
        "unit": answer.unit,
        "sigma": answer.sigma,
        "boxes": [list(map(float, box)) for box in answer.boxes],
        "points": [list(map(float, point)) for point in answer.points],
        "pose": None if answer.pose is None else answer.pose.tolist(),
        "evidence": {
            "objects": list(answer.evidence_objects),
            "views": answer.evidence_views,
            "relations": [relation_to_json(item) for item in answer.evidence],
        },
        "confidence": None if math.isnan(answer.confidence) else answer.confidence,
        "status": answer.status.name.lower(),
        "model_value": answer.model_value,
        "geometry_value": answer.geometry_value,
        "model": answer.model,
    }


@dataclass(frozen=True)
class _Files:
    """One image and what belongs to it."""

    color: Path
    depth: Path | None
    camera: Path | None
    boxes: Path | None
    pose: Path | None


def _files(
    images: list[Path], depths: list[Path], cameras: list[Path], boxes: list[Path], poses: list[Path]
) -> list[_Files]:
    """Bring together what belongs to each image, in the order given; the last images may lack it."""
    for option, given in (("--depth", depths), ("--camera", cameras), ("--boxes", boxes), ("--pose", poses)):
        if len(given) > len(images):
            raise InputError(f"{option} is given {len(given)} times for {len(images)} images; give it once for each")
    if len(cameras) == 1:
        cameras = cameras * len(images)
    parts = [(*given, *[None] * (len(images) - len(given))) for given in (depths, cameras, boxes, poses)]
    return [_Files(*row) for row in zip(images, *parts, strict=True)]


def _of_images(files: list[_Files], up: Vec3 | None) -> list[Observation]:
    return [
        observation_from_files(
            item.color, item.depth, item.camera, item.boxes, up if item is files[0] else None, item.pose
        )
        for item in files
    ]


def _of_clip(files: list[_Files]) -> list[Observation]:
    [clip, *others] = files
    if others or (clip.depth, clip.camera, clip.boxes, clip.pose) != (None,) * 4:
        raise InputError(
            "a clip stands alone: without images, depth, camera, boxes and poses; give single images for these"
        )
    frames = read_clip(clip.color, MOST_VIEWS)
    camera = assumed_camera(frames[0].shape[1], frames[0].shape[0])
    return [Observation(frame, camera) for frame in frames]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def model_of_options(config: ModelConfig, name: str | None, server: str | None) -> ModelConfig:
    """Return the settings with what the options say; ``--model none`` means neither a model nor a server."""
    if name == NO_MODEL and server is None:
        return ModelConfig()
    if server is not None:
        asked = config.server.model if name in (None, NO_MODEL) else name
        return replace(config, name=name or config.name, server=replace(config.server, url=server, model=asked))
    return config if name is None else replace(config, name=name)


def _print(answer: Answer) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(answer.text or "(no answer)", markup=False)
    said = []
    if answer.model:
        said.append(f"model {answer.model}")
    if answer.model_value is not None:
        said.append(f"it says {number_in_words(answer.model_value, answer.unit)}")
    if answer.geometry_value is not None:
        said.append(f"measured {number_in_words(answer.geometry_value, answer.unit)}")
    if answer.status is not Status.UNCHECKED:
        said.append(answer.status.name.lower())
    if not math.isnan(answer.confidence):
        said.append(f"confidence {answer.confidence:.0%}")
    if answer.evidence_objects:
        said.append(f"about {', '.join(answer.evidence_objects)}")
    if said:
        console.print("; ".join(said), markup=False)
