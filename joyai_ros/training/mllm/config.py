"""Settings of ``joyai-ros train mllm``."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

from joyai_ros.errors import ConfigError
from joyai_ros.settings import setting
from joyai_ros.training.loop import LoopSettings


class Kept(str, enum.Enum):
    """In which type weights are kept."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class Stage:
    """A part of a run, with a mixture of its own.

    Attributes:
        share: of the run's steps, beside the other stages' shares.
        mix: how often a sample of each dataset is drawn, beside the others; empty: every sample is drawn as often. A dataset is
            named by what its samples call it, by its store's folder, or by both: ``columns``, ``tables``, ``tables/columns``.
    """

    share: float = setting(1.0, "of the run's steps, beside the others'", 0.0, 1e9)
    mix: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Averaged:
    """A model with which the trained one is averaged."""

    model: str = setting("", "card or folder")
    share: float = setting(0.5, "of the mean; what all leave is of the trained one", 0.0, 1.0)
    whole: bool = setting(False, "all weights are averaged, not the vision encoder's alone")


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank changes of layers instead of all weights."""

    rank: int = setting(0, "0 trains all weights", 0, 1024)
    alpha: int = setting(16, "strength of the change, over the rank", 1, 4096)
    dropout: float = setting(0.0, "share of what goes into the change that is left out", 0.0, 0.9)
    mlp: bool = setting(False, "change the MLPs as well, not only attention")
    vision: bool = setting(False, "change the vision encoder as well, at vision_rate, not only the language model")


@dataclass(frozen=True)
class KeepSettings:
    """What holds the model to what it was: a divergence from a frozen teacher on general samples."""

    weight: float = setting(0.0, "beside the loss of the answers; 0 for none", 0.0, 1e6)
    general: tuple[str, ...] = setting((), "datasets of general samples, named as in a mixture")


@dataclass(frozen=True)
class ScratchSizes:
    """A model from scratch; used where ``base`` is empty."""

    vocabulary: int = setting(1024, "tokens, at most", 384, 262_144)
    listing: bool = setting(
        False, "its words are those of listings and of the task table, in few tokens; for a model that lists"
    )
    width: int = setting(192, "of the language model", 32, 16384)
    mlp: int = setting(512, "width of its MLPs", 32, 65536)
    layers: int = setting(4, "of the language model", 1, 200)
    heads: int = setting(4, "of its attention", 1, 256)
    key_heads: int = setting(2, "heads of keys and values", 1, 256)
    head: int = setting(64, "width of a head, a multiple of 16", 16, 256)
    vision_width: int = setting(128, "of the vision encoder", 16, 16384)
    vision_mlp: int = setting(512, "width of its MLPs", 16, 65536)
    vision_layers: int = setting(4, "of the vision encoder", 2, 200)
    vision_heads: int = setting(4, "of its attention", 1, 256)
    patch: int = setting(16, "side of a patch, pixels; a token is two by two of them", 2, 64)
    pixels: int = setting(9216, "images are made about this large, pixels", 64, 16_777_216)
    context: int = setting(4096, "tokens of a question, its images and its answer together", 256, 262_144)


@dataclass(frozen=True)
class MllmTraining:
    """What is trained, on what, and how."""

    name: str = setting("trained", "of the model and its card")
    base: str = setting("", "card or folder of the model to begin with; empty: from scratch")
    stores: tuple[str, ...] = setting((), "folders made by joyai-ros data build")
    split: str = setting("train", "of the stores")
    exercises: bool = setting(
        False,
        "beside a store's questions: datasets of exercises, for a model that lists what it sees",
    )
    stages: tuple[Stage, ...] = setting((Stage(),), "parts of the run with mixtures of their own")
    tokens: int = setting(2048, "of a pack of samples", 128, 1_000_000)
    pixels: int = setting(1_048_576, "larger images are made smaller, to this many pixels", 256, 16_777_216)
    vision_rate: float = setting(
        0.1, "learning rate of the vision encoder, share of the others'; 0 leaves it alone", 0.0, 10.0
    )
    new_vision: bool = setting(False, "the vision encoder of the base begins anew")
    vision_layers: int = setting(
        0, "to which that of the base is deepened, by layers that begin as doing nothing; 0: as it is", 0, 1000
    )
    mean: tuple[Averaged, ...] = setting((), "models with whose weights those of the result are averaged")
    shown: float = setting(1.0, "weight of what image tokens learn to show, beside that of answers", 0.0, 1e6)
    checkpointing: bool = setting(False, "compute layers again instead of keeping what they made")
    weights: Kept = setting(Kept.FLOAT32, "type in which weights are trained")
    result: Kept = setting(Kept.FLOAT32, "type in which the result is written")
    lora: LoraSettings = LoraSettings()
    keep: KeepSettings = KeepSettings()
    scratch: ScratchSizes = ScratchSizes()
    loop: LoopSettings = LoopSettings()

    def check(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ConfigError: which, and what to do.
        """
        if not self.stores:
            raise ConfigError(
                "there are no stores to learn from; make one with joyai-ros data build and name it in stores"
            )
        if not self.stages or sum(stage.share for stage in self.stages) <= 0:
            raise ConfigError("there is no stage with a share of the steps; give stages with share above 0")
        if self.lora.rank and not self.base:
            raise ConfigError("a LoRA changes a trained model; give a base, or set lora.rank to 0")
        if self.lora.rank and self.lora.vision and not self.vision_rate:
            raise ConfigError(
                "lora.vision changes the vision encoder; set vision_rate above 0, or lora.vision to false"
            )
        if self.keep.weight and not self.base:
            raise ConfigError("the teacher is the model to begin with; give a base, or set keep.weight to 0")
        if self.keep.weight and not self.keep.general:
            raise ConfigError("keep.weight is set, but keep.general names no dataset; name those of general samples")
        if self.new_vision and not (self.base and self.vision_rate and not self.lora.rank and not self.keep.weight):
            raise ConfigError(
                "new_vision needs a base and a vision_rate above 0, and neither a LoRA nor a teacher goes with it: the new "
                "encoder has everything to learn"
            )
        if self.vision_layers and not (self.base and self.vision_rate and not self.lora.rank):
            raise ConfigError(
                "vision_layers deepens the vision encoder of a base: give one and a vision_rate above 0, and set lora.rank to "
                "0; a model from scratch takes scratch.vision_layers"
            )
        if not all(each.model for each in self.mean) or sum(each.share for each in self.mean) > 1.0:
            raise ConfigError(
                "mean needs the card or folder of each model, and shares that leave something to the trained one: "
                "together at most 1"
            )

    def stage_of(self, step: int) -> int:
        """Return the number of the stage of a step."""
        whole = sum(stage.share for stage in self.stages)
        end = 0.0
        for number, stage in enumerate(self.stages):
            end += stage.share / whole * self.loop.steps
            if step < round(end):
                return number
        return len(self.stages) - 1
