"""Settings of the models, apart from the libraries that run them: whoever reads settings needs none of these."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from joyai_ros.models.precision import Weights
from joyai_ros.settings import setting

NO_MODEL = "none"


class Precision(enum.Enum):
    """The type in which the model computes."""

    AUTO = "auto"  # bfloat16 on an accelerator, float32 on a CPU
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Attention(enum.Enum):
    """How attention is computed."""

    SDPA = "sdpa"
    EAGER = "eager"
    FLASH = "flash_attention_2"  # needs the flash-attn package and an NVIDIA GPU


class Picture(enum.Enum):
    """How an image travels to a server."""

    PNG = "png"  # exact
    JPEG = "jpeg"  # a tenth of the bytes


@dataclass(frozen=True)
class Loading:
    """How a model is loaded."""

    precision: Precision = setting(Precision.AUTO, "type in which the model computes")
    weights: Weights = setting(Weights.FULL, "bits of the weights of the language model's layers")
    attention: Attention = setting(Attention.SDPA, "how attention is computed")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1 ..., or spread for layers on all devices there are")
    static_cache: bool = setting(False, "keep keys and values in memory of fixed size")
    compile: bool = setting(False, "compile the step that makes one token; needs static_cache and a C++ compiler")


@dataclass(frozen=True)
class LocalSettings:
    """How a model is loaded and run here."""

    loading: Loading = Loading()
    batch: int = setting(8, "questions about images of one size that are decoded together", 1, 64)
    frames: int = setting(4, "sets of images whose vision features and prefix are remembered", 1, 64)
    most_pixels: int = setting(1_048_576, "larger images are made smaller, to this many pixels", 4096, 16_777_216)
    most_images: int = setting(16, "images of one question", 1, 64)
    context: int = setting(32_768, "tokens of a question, its images and its answer together", 256, 262_144)


@dataclass(frozen=True)
class RemoteConfig:
    """How a model server is reached. The key itself is never a setting, so that no file and no log holds it."""

    url: str = setting("", "base URL of an OpenAI-compatible server, mostly ending in /v1; empty: none")
    model: str = setting("", "the server's name for the model; empty: the only one that it has")
    key_variable: str = setting("JOYAI_SERVER_KEY", "environment variable that holds the key; unset: none is sent")
    connect_timeout: float = setting(5.0, "for a connection, s", 0.01, 600.0)
    read_timeout: float = setting(60.0, "between two pieces of an answer, and before the first, s", 0.01, 3600.0)
    answer_timeout: float = setting(300.0, "for a whole answer with all tries, s", 0.01, 86400.0)
    retries: int = setting(3, "further tries where the server is away, too busy or at fault", 0, 20)
    first_delay: float = setting(0.5, "before the first further try, doubled for each one after it, s", 0.0, 60.0)
    longest_delay: float = setting(8.0, "before any further try, whatever the server asks for, s", 0.0, 600.0)
    parallel: int = setting(4, "questions that the server works on at the same time", 1, 256)
    picture: Picture = setting(Picture.PNG, "how images travel: png (exact) or jpeg (smaller)")
    jpeg_quality: int = setting(92, "of jpeg", 1, 100)
    longest_side: int = setting(2048, "larger images are scaled down to this, pixels", 16, 16384)


@dataclass(frozen=True)
class ModelConfig:
    """Which model answers questions, and where it runs."""

    name: str = setting(NO_MODEL, "card or folder of the model; none: geometry answers alone, unless there is a server")
    local: LocalSettings = field(default_factory=LocalSettings)
    server: RemoteConfig = field(default_factory=RemoteConfig)
