"""Settings of ``joyai-ros train view``."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from joyai_ros.errors import ConfigError
from joyai_ros.settings import setting
from joyai_ros.training.loop import LoopSettings
from joyai_ros.training.mllm.config import Kept
from joyai_ros.training.mllm.config import ScratchSizes as TextSizes


class Stage(str, enum.Enum):
    """What is trained, in this order; each stage takes what the ones before it made."""

    WORDS = "words"  # a small MLLM from scratch learns to read the camera prompt
    VAE = "vae"
    DRAW = "draw"  # the MMDiT, from words alone
    MOVE = "move"  # the MMDiT, from a reference and a camera motion


@dataclass(frozen=True)
class ScratchSizes:
    """Sizes of a pipeline that is made from scratch; one that is gone on from has its own."""

    text: TextSizes = field(default_factory=TextSizes)
    latent_channels: int = setting(16, "values of a latent's cell of 8 x 8 pixels", 4, 64)
    vae_width: int = setting(64, "channels of the VAE, more than twice those of a latent", 16, 1024)
    vae_blocks: int = setting(1, "residual blocks of the VAE's encoder; one more in the decoder", 1, 8)
    width: int = setting(192, "of the MMDiT", 32, 4096)
    heads: int = setting(6, "of the MMDiT; each is a multiple of 8 wide", 1, 64)
    layers: int = setting(6, "of the MMDiT", 1, 64)
    mlp_ratio: float = setting(2.0, "width of the MMDiT's feed-forward layers by its own", 0.5, 8.0)

    def __post_init__(self) -> None:
        if self.vae_width <= 2 * self.latent_channels:
            raise ConfigError(
                f"vae_width {self.vae_width} is not above twice the {self.latent_channels} latent_channels; widen the VAE"
            )
        if self.width % (8 * self.heads):
            raise ConfigError(f"the MMDiT's width {self.width} is no multiple of 8 x {self.heads} heads")


@dataclass(frozen=True)
class WordsConfig:
    """How a small MLLM learns to read camera prompts: numbers follow from what it makes of the prompt's end."""

    batch: int = setting(64, "prompts of a batch", 1, 100_000)
    loop: LoopSettings = field(default_factory=LoopSettings)


@dataclass(frozen=True)
class VaeConfig:
    """How the VAE is trained."""

    batch: int = setting(16, "images of a batch", 1, 100_000)
    kl: float = setting(1e-4, "weight of the latents' divergence from a normal distribution", 0.0, 1.0)
    edges: float = setting(0.5, "weight of the difference between neighbouring pixels", 0.0, 100.0)
    loop: LoopSettings = field(default_factory=LoopSettings)


@dataclass(frozen=True)
class DrawConfig:
    """How the MMDiT learns to draw from words alone: a list of what stands in the picture."""

    batch: int = setting(32, "images of a batch", 1, 100_000)
    loop: LoopSettings = field(default_factory=LoopSettings)


@dataclass(frozen=True)
class MoveConfig:
    """How the MMDiT learns to move the camera."""

    batch: int = setting(32, "pairs of a batch", 1, 100_000)
    wordless: float = setting(0.1, "share of the pairs without a prompt, for guidance", 0.0, 1.0)
    guided: float = setting(
        0.5, "share of the pairs that begin at the measured surface, seen from the target", 0.0, 1.0
    )
    least_level: float = setting(0.15, "share of noise at which these begin, at least", 0.05, 1.0)
    most_level: float = setting(0.5, "and at most", 0.05, 1.0)
    lora: int = setting(0, "rank of a LoRA on attention and feed-forward layers; 0: all weights are trained", 0, 1024)
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        if self.least_level > self.most_level:
            raise ConfigError(f"least_level {self.least_level} is above most_level {self.most_level}; swap them")


@dataclass(frozen=True)
class ViewTraining:
    """What is trained on what."""

    name: str = setting("trained", "of the pipeline and its card")
    data: str = setting("", "folder of a store that joyai-ros data build made")
    base: str = setting("", "card or folder of a pipeline to go on from; empty: a small one from scratch")
    stages: tuple[Stage, ...] = setting(tuple(Stage), "words, vae, draw, move, or some of them; kept in this order")
    size: int = setting(128, "base size of the images: 64, 128, 256, 512, 768 or 1024 pixels")
    most_yaw: float = setting(45.0, "pairs that go further are left out, deg", 1.0, 180.0)
    most_pitch: float = setting(20.0, "the same, deg", 1.0, 90.0)
    most_zoom: float = setting(1.3, "the same, ratio", 1.0, 4.0)
    most_off_deg: float = setting(
        1.0, "pairs that are no orbit about what the source's middle shows, by so much", 0.0, 180.0
    )
    most_off_m: float = setting(0.02, "the same, m", 0.0, 10.0)
    most_pairs: int = setting(0, "pairs at most, evenly over all scenes; 0: all there are", 0, 100_000_000)
    mirror: bool = setting(True, "images are shown mirrored as well, and yaw turned round")
    result: Kept = setting(Kept.FLOAT16, "type of the weights that are written")
    seed: int = setting(0, "of new weights and of everything drawn", 0, 2**31 - 1)
    scratch: ScratchSizes = field(default_factory=ScratchSizes)
    words: WordsConfig = field(default_factory=WordsConfig)
    vae: VaeConfig = field(default_factory=VaeConfig)
    draw: DrawConfig = field(default_factory=DrawConfig)
    move: MoveConfig = field(default_factory=MoveConfig)

    def __post_init__(self) -> None:
        if not self.base and Stage.VAE not in self.stages:
            raise ConfigError("a pipeline from scratch needs the stage vae; name it among stages, or give a base")
        if self.base and Stage.WORDS in self.stages:
            raise ConfigError("the stage words is for an MLLM from scratch; leave it out, or give no base")
