"""Model cards: one YAML file per model says what it is, where its weights come from and how it is best used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from joyai_ros.models.angles import Angles
from joyai_ros.models.confidence import ConfidenceLine
from joyai_ros.models.errors import CardError
from joyai_ros.models.pipeline_folder import EDIT, PLUS
from joyai_ros.resources import resource_dir, resource_files


@dataclass(frozen=True)
class CardSampling:
    """How the model's authors draw tokens."""

    temperature: float
    top_p: float
    top_k: int


@dataclass(frozen=True)
class ModelCard:
    """One model.

    Attributes:
        name: of the card; also of its folder in the store.
        what: one sentence.
        licence: SPDX name; null where it is not known.
        architecture: the class that ``config.json`` names, or of a pipeline the one that ``model_index.json`` names.
        dtype: in which the weights are published.
        repository: on the model hub, ``owner/name``; null for a model that is not published.
        revision: commit of the repository; null for its newest, because none was verified.
        subfolder: of the repository, where the model lies; empty for its root.
        folder: for models that travel with this package: the folder below ``models/``.
        parameters: how many; null where it is not known.
        memory: gigabytes of weights by how they are kept (bfloat16, int8, int4), reckoned from the parameters.
        sampling: the authors' defaults; null for greedy.
        confidence: by task (others: for all that are not named), what makes an answer's probability a confidence; null where
            the model was not calibrated, and confidences stay unset.
        angles: how a model that draws counts the angles of a camera motion.
        preset: how it draws where nobody says; null for the package's default.
        guidance: how much it wants the prompt pressed, 1 (not at all) to 30; null for the presets' own.
        listing: whether it was trained to list what it sees before it answers; see :mod:`joyai_ros.understanding.listing`.
        unverified: what this card says by its sources alone.
        training: of a model that was trained here: command, hash of the data, seed, steps and loss.
        scores: what ``joyai-ros eval`` found, by the name of the score.
    """

    name: str
    what: str
    architecture: str
    dtype: str
    licence: str | None = None
    repository: str | None = None
    revision: str | None = None
    subfolder: str = ""
    folder: str | None = None
    parameters: int | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    sampling: CardSampling | None = None
    confidence: Mapping[str, ConfidenceLine] = field(default_factory=dict)
    angles: Angles = Angles()
    preset: str | None = None
    guidance: float | None = None
    listing: bool = False
    unverified: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def draws(self) -> bool:
        """Whether it is a pipeline that draws images; else it answers questions about them."""
        return self.architecture in (EDIT, PLUS)


def load_card(name: str) -> ModelCard:
    """Return the card of this name.

    Raises:
        CardError: there is none, or it is broken.
    """
    files = {path.stem: path for path in resource_files("models", ".yaml")}
    if name not in files:
        raise CardError(f"there is no model card {name!r}; there are {', '.join(files)}, or give a model's folder")
    return read_card(files[name])


def load_cards() -> list[ModelCard]:
    """Return all cards, by name.

    Raises:
        CardError: one is broken.
    """
    return [read_card(path) for path in resource_files("models", ".yaml")]


def read_card(path: Path, in_folder: bool = False) -> ModelCard:
    """Return the card in a YAML file.

    Args:
        path: of the file.
        in_folder: whether it lies in the model's own folder, where every card has the same name.

    Raises:
        CardError: the file cannot be read, lacks a key, has an unknown one, or a value of the wrong type.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CardError(f"the model card {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise CardError(f"the model card {path} is no mapping; write KEY: VALUE lines")
    needed = {f.name for f in fields(ModelCard) if f.default is MISSING and f.default_factory is MISSING}
    known = {f.name for f in fields(ModelCard)}
    wrong = sorted(set(content) - known) or sorted(needed - set(content))
    if wrong:
        said = "has an unknown key" if wrong[0] in content else "lacks the key"
        raise CardError(f"the model card {path} {said} {wrong[0]}; its keys are {', '.join(sorted(known))}")
    card = ModelCard(**{key: _value(path, key, value) for key, value in content.items()})
    if card.name != path.stem and not in_folder:
        raise CardError(f"the model card {path} calls itself {card.name!r}; name it like its file")
    return card


def shipped_folder(card: ModelCard) -> Path | None:
    """Return where a model that travels with this package lies, whether it is there or not; None for others."""
    return resource_dir("models") / card.folder if card.folder else None


FOLDER_CARD = "joyai-card.yaml"  # in the folder of a model that was trained here
_TEXTS = ("name", "what", "architecture", "dtype", "licence", "repository", "revision", "subfolder", "folder", "preset")
_MAPPINGS = ("training", "scores")
_NEEDED = ("name", "what", "architecture", "dtype", "subfolder", "angles")


def _value(path: Path, key: str, value: Any) -> Any:
    """Return the value of a key as its type.

    Raises:
        CardError: it is not one.
    """
    try:
        if value is None and key not in _NEEDED:
            return {} if key in ("memory", "confidence", *_MAPPINGS) else () if key == "unverified" else None
        if key in _TEXTS:
            return _typed(value, str)
        if key == "listing":
            return _typed(value, bool)
        if key == "parameters":
            return _typed(value, int)
        if key == "guidance":
            return _guidance(float(value))
        if key == "confidence":
            return {str(task): ConfidenceLine(**line) for task, line in value.items()}
        if key in _MAPPINGS:
            return _typed(value, dict)
        if key == "angles":
            return Angles(**value)
        if key == "memory":
            return {str(kind): float(gigabytes) for kind, gigabytes in value.items()}
        if key == "sampling":
            return CardSampling(float(value["temperature"]), float(value["top_p"]), _typed(value["top_k"], int))
        return tuple(_typed(line, str) for line in _typed(value, list))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise CardError(f"in the model card {path}, {key} is {value!r}, which it cannot be") from error


def _guidance(value: float) -> float:
    if not 1.0 <= value <= 30.0:
        raise ValueError
    return value


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value
