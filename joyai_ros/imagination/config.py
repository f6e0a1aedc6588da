"""Settings of the models that draw, apart from the libraries that run them: whoever reads settings needs none of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.engines.config import EngineConfig
from joyai_ros.models.precision import Weights
from joyai_ros.settings import setting


@dataclass(frozen=True)
class PipelineLoading:
    """How a pipeline is loaded."""

    precision: str = setting("auto", "float32, bfloat16, float16, or auto: bfloat16 on an accelerator, else float32")
    weights: Weights = setting(Weights.FULL, "bits of the weights of the MMDiT's blocks and the MLLM's layers")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1 ...")
    hashes: bool = setting(False, "first compare all files with the lock file of their download, where there is one")
    text_encoder: bool = setting(True, "load the pipeline's own MLLM; not where another one conditions the MMDiT")
    in_turn: bool = setting(
        False, "keep MLLM and MMDiT on the device only while they work: slower; the larger one fits"
    )
    resolution: int = setting(
        256, "pixels of views for which the memory must do, or the pipeline is refused before it is loaded", 64, 4096
    )


@dataclass(frozen=True)
class ImaginationConfig:
    """Which model draws views, and how."""

    model: str = setting("", "model card, or folder of a pipeline, that draws views; empty: none, depth alone")
    preset: str = setting("", "exact, balanced or fast, where a request names none; empty: the card's, or balanced")
    size: int = setting(
        0, "pixels along the side of a square view: 64, 128, 256, 512, 768 or 1024; 0: the largest that the image fills"
    )
    strength: float = setting(
        1.0, "share of the way from noise to a view; below 1 it begins at the measured surface", 0.01, 1.0
    )
    show_surface: bool = setting(
        False, "show the measured surface to the model as a second image; only a model for several references takes it"
    )
    parts: int = setting(4, "a motion beyond the model's angles is drawn in at most so many parts; 1: refused", 1, 16)
    loading: PipelineLoading = field(default_factory=PipelineLoading)
    engine: EngineConfig = field(default_factory=EngineConfig)
