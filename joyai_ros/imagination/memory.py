"""What drawing needs of a device's memory, by arithmetic on the networks' sizes, before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.models.errors import PipelineFolderError
from joyai_ros.models.pipeline_folder import PLUS, PipelineFolder, check_pipeline
from joyai_ros.models.store import find_model, stored_card

GIGA = 1e9
RESOLUTIONS = (256, 512, 768, 1024)
# Bytes of a weight, those of int8 and int4 with their scales; the rest of a network is kept in 16 bits beside them.
BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.53}
IMAGES = 2  # the reference and the view
ROWS = 2  # of a step with guidance: with the prompt and without
_PATCH, _TEXT_PATCH = 16, 32  # pixels of an image token of the MMDiT, and of the MLLM
_PROMPT = 40  # text tokens of a camera prompt, about
_BLOCK_WIDTHS = 16  # hidden widths that a block holds for a token at once: input, qkv, attention, 4x MLP
_DECODER_BYTES = 1800  # for a pixel of the view, while the VAE decodes it: 96 channels, a few copies, float32


@dataclass(frozen=True)
class Network:
    """The sizes of a pipeline; the defaults are those that JoyAI-Image-Edit's authors publish.

    Attributes:
        hidden, layers: of the MMDiT.
        parameters: of all its weights.
        vae: parameters of the VAE.
        language: parameters of the MLLM.
        language_layers: of these, the ones of the language model's layers, which alone are kept in 8 or 4 bits.
        takes_several: whether it is the pipeline for several references, whose presets have fewer steps.
    """

    hidden: int = 4096
    layers: int = 40
    parameters: float = 16.263675968e9
    vae: float = 126.9e6
    language: float = 8.767e9
    language_layers: float = 6.934e9
    takes_several: bool = False

    @property
    def stream(self) -> float:
        """How many weights the tokens of one stream (image or text) pass in a forward."""
        return 12.0 * self.hidden**2 * self.layers


@dataclass(frozen=True)
class Needs:
    """Gigabytes (10^9 bytes) that a way to draw needs.

    Attributes:
        weights: of MMDiT and VAE.
        language: of the MLLM.
        activations: while a view is drawn; an upper estimate.
    """

    weights: float
    language: float
    activations: float

    def least(self, by_phase: bool) -> float:
        """Return what the device must hold at once, with MLLM and MMDiT on it together or by phase."""
        drawing = self.weights + self.activations
        return max(drawing, self.language) if by_phase else drawing + self.language


def memory_needs(network: Network, precision: str, resolution: int, whole: str = "bf16") -> Needs:
    """Return what a pipeline needs.

    Args:
        network: the sizes.
        precision: of the weights of blocks and layers, one of :data:`BYTES`.
        resolution: pixels, the base of the bucket.
        whole: precision of the other weights and of what is computed.
    """
    small, large = BYTES[precision], max(BYTES[precision], BYTES[whole])
    blocks = 2 * network.stream
    weights = blocks * small + (network.parameters - blocks + network.vae) * large
    language = network.language_layers * small + (network.language - network.language_layers) * large
    tokens = ROWS * (image_tokens(resolution) + text_tokens(resolution))
    block = tokens * network.hidden * _BLOCK_WIDTHS * large
    activations = max(block, resolution**2 * _DECODER_BYTES)
    return Needs(weights / GIGA, language / GIGA, activations / GIGA)


def image_tokens(resolution: int) -> int:
    """Return how many tokens a view and its reference have in the MMDiT."""
    return int(IMAGES * (resolution // _PATCH) ** 2)


def text_tokens(resolution: int) -> int:
    """Return about how many tokens the MLLM gives for a prompt with a reference."""
    return int((resolution // _TEXT_PATCH) ** 2 + _PROMPT)


def network_of(name: str) -> Network:
    """Return the sizes of a pipeline by its card's name or its folder.

    Where its weights are not on this machine they are the published ones, which all published pipelines share.

    Raises:
        CardError: there is no such card and no such folder.
        ModelFolderError: its folder is broken, it does not draw, or it is neither here nor published.
    """
    card = stored_card(name)
    if card is not None and not card.card.draws:
        raise PipelineFolderError(f"{name} answers questions and draws nothing; choose a model that draws")
    if card is not None and not card.present and card.card.repository is not None:
        return Network(takes_several=card.card.architecture == PLUS)
    return network_in(check_pipeline(find_model(name).folder))


def network_in(found: PipelineFolder) -> Network:
    """Return the sizes of a checked folder.

    Raises:
        PipelineFolderError: its transformer's configuration names no sizes.
    """
    path = found.folder / "transformer" / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        hidden, layers = int(config["hidden_size"]), int(config["num_layers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineFolderError(f"{path} names no sizes ({error}); pull the model again") from error
    return Network(
        hidden,
        layers,
        found.parameters("transformer"),
        found.parameters("vae"),
        found.parameters("text_encoder"),
        found.parameters("text_encoder", "model.language_model.layers."),
        found.kind == PLUS,
    )


def refuse_if_it_cannot_fit(
    what: str | Path,
    network: Network,
    memory: float,
    precision: str,
    resolution: int,
    whole: str = "bf16",
    by_phase: bool = False,
) -> None:
    """Raise where a pipeline would not fit, before it is loaded.

    Args:
        what: its card or folder, for the error.
        network: its sizes; without an MLLM of its own, with ``language`` 0.
        memory: gigabytes that the device has for it.
        precision: of the weights of blocks and layers, one of :data:`BYTES`.
        resolution: pixels of the largest view that is to be drawn.
        whole: precision of the other weights and of what is computed.
        by_phase: whether MLLM and MMDiT are on the device only while they work.

    Raises:
        DrawMemoryError: it does not fit; the message says what would.
    """
    needed = memory_needs(network, precision, resolution, whole).least(by_phase)
    if needed > memory:
        raise DrawMemoryError(
            f"{what} needs {needed:.1f} GB at {precision} for views of {resolution} px, and {memory:.1f} GB are free; "
            + _what_would_fit(network, memory, resolution, whole)
        )


def _what_would_fit(network: Network, memory: float, resolution: int, whole: str) -> str:
    """Return the largest views, at the best precision, that would fit, or the least memory that any need."""
    sizes = sorted({resolution, *(size for size in RESOLUTIONS if size < resolution)}, reverse=True)
    ways = [
        (memory_needs(network, precision, size, whole).least(by_phase), precision, size, by_phase)
        for size in sizes
        for by_phase in (False, True)
        for precision in (whole, "int8", "int4")
    ]
    fitting = [way for way in ways if way[0] <= memory]
    needed, precision, size, by_phase = fitting[0] if fitting else min(ways)
    how = f"{precision} for views of {size} px{', MLLM and MMDiT in turn' if by_phase and network.language else ''}"
    if fitting:
        return f"{how} would fit ({needed:.1f} GB)"
    return f"the least, {how}, needs {needed:.1f} GB"
