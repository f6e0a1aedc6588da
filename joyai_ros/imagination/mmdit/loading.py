"""A JoyImage pipeline's folder into memory: safetensors alone, no remote code, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.memory import memory_needs, network_in, refuse_if_it_cannot_fit
from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.models.devices import device_of, dtype_of
from joyai_ros.models.errors import PipelineFolderError
from joyai_ros.models.memory import free_memory, memory_errors_as
from joyai_ros.models.pipeline_folder import PLUS, PipelineFolder, check_pipeline
from joyai_ros.models.precision import Weights
from joyai_ros.models.qwen_processor import read_processor
from joyai_ros.models.shared import Way, is_loaded, shared_model
from joyai_ros.models.weight_only import quantize_layers

_LOCAL: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}


@dataclass(frozen=True)
class Pipeline:
    """The loaded parts.

    Attributes:
        kind: ``pipeline_folder.EDIT`` or ``pipeline_folder.PLUS``.
        transformer: the MMDiT.
        vae: between images and latents.
        scheduler: gives the noise levels.
        processor: of the MLLM.
        text_encoder: the MLLM; None where it was not to be loaded.
        device: where they work.
        in_turn: whether MLLM and MMDiT are on the device only while they work, and on the CPU otherwise.
    """

    kind: str
    transformer: Any
    vae: Any
    scheduler: Any
    processor: Any
    text_encoder: Any
    device: torch.device
    in_turn: bool = False

    @contextmanager
    def at_work(self, part: Any) -> Iterator[None]:
        """Have a part on the device while this is entered; None for no part."""
        if part is None or not self.in_turn:
            yield
            return
        try:
            part.to(self.device)
            yield
        finally:
            part.to("cpu")
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # or the next part may find the memory in pieces

    @property
    def takes_several(self) -> bool:
        """Whether it takes several references, of any size; else at most one, of the size of the image."""
        return self.kind == PLUS

    @property
    def empty_prompt(self) -> str:
        """The prompt that stands for none: a blank where there may be several references, as their authors have it."""
        return " " if self.takes_several else ""

    @property
    def multiple(self) -> int:
        """Heights and widths are multiples of this many pixels: a patch of the MMDiT."""
        return int(self.vae.config.scale_factor_spatial) * int(self.transformer.config.patch_size[1])


def load_pipeline(
    folder: Path, how: PipelineLoading = PipelineLoading(), transformer: bool = True, share: bool = False
) -> Pipeline:
    """Return a pipeline's parts from its folder, ready to run.

    Args:
        folder: as ``save_pretrained`` writes it.
        how: it is loaded.
        transformer: whether the MMDiT's weights are loaded; not where an engine holds them.
        share: whether the MLLM may be the copy of the same weights that this process has already, or gets later; then
            nothing may be changed in it.

    Raises:
        PipelineFolderError: the folder is not one of such a pipeline.
        ConfigError: there is no such precision or device.
        DrawMemoryError: it does not fit; nothing was loaded where arithmetic says so.
    """
    import diffusers
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler

    found = check_pipeline(folder, how.text_encoder, how.hashes)
    device = device_of(how.device)
    dtype = dtype_of(how.precision, device)
    shared = Way(str(device), dtype, how.weights) if share and not how.in_turn else None
    _refuse_what_cannot_fit(found, how, device, dtype, transformer, shared)
    diffusers.utils.logging.disable_progress_bar()  # its bars would stand in the logs of nodes
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    vae: Any = AutoencoderKLWan
    place = torch.device("cpu") if how.in_turn else device
    pipeline = Pipeline(
        kind=found.kind,
        transformer=load_transformer(found, place, dtype, how.weights) if transformer else _without_weights(found),
        vae=_load(folder / "vae", vae.from_pretrained, device, torch_dtype=dtype),
        scheduler=scheduler.from_pretrained(folder / "scheduler", local_files_only=True),
        processor=_named(folder / "processor", lambda: read_processor(folder / "processor")),
        text_encoder=_encoder(folder / "text_encoder", dtype, place, how.weights, shared) if how.text_encoder else None,
        device=device,
        in_turn=how.in_turn,
    )
    _check_configs(folder, pipeline)
    return pipeline


def without_encoder(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline whose MLLM can be freed."""
    return replace(pipeline, text_encoder=None)


def load_transformer(
    found: PipelineFolder, device: torch.device, dtype: torch.dtype, weights: Weights = Weights.FULL
) -> Any:
    """Return the MMDiT of a checked folder.

    Raises:
        PipelineFolderError: it cannot be loaded.
        DrawMemoryError: it does not fit.
    """
    kind = _transformer_class(found.kind)
    return _load(
        found.folder / "transformer",
        kind.from_pretrained,
        device,
        weights,
        lambda mmdit: mmdit.double_blocks,
        torch_dtype=dtype,
    )


def _without_weights(found: PipelineFolder) -> Any:
    """Return an MMDiT that knows its configuration alone."""
    kind, folder = _transformer_class(found.kind), found.folder / "transformer"
    with torch.device("meta"):
        return _named(folder, lambda: kind.from_config(kind.load_config(folder, local_files_only=True)))


def _transformer_class(kind: str) -> Any:
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel
    from diffusers.models.transformers.transformer_joyimage_edit_plus import JoyImageEditPlusTransformer3DModel

    return JoyImageEditPlusTransformer3DModel if kind == PLUS else JoyImageEditTransformer3DModel


def _encoder(folder: Path, dtype: torch.dtype, device: torch.device, weights: Weights, shared: Way | None) -> Any:
    """Return the MLLM, which may be one that answers questions too."""
    load = partial(_load_encoder, folder, dtype, device, weights)
    return load() if shared is None else shared_model(folder, shared, load)


def _load_encoder(folder: Path, dtype: torch.dtype, device: torch.device, weights: Weights) -> Any:
    from transformers import Qwen3VLForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    kind: Any = Qwen3VLForConditionalGeneration
    return _load(folder, kind.from_pretrained, device, weights, _language_layers, dtype=dtype, trust_remote_code=False)


def _language_layers(encoder: Any) -> Any:
    return encoder.model.language_model.layers


def _load(
    folder: Path,
    from_pretrained: Callable[..., Any],
    device: torch.device,
    weights: Weights = Weights.FULL,
    layers: Callable[[Any], Any] | None = None,
    **how: Any,
) -> Any:
    """Return a network of which no weight is missing; the weights of its layers, where it has such, are made small."""
    network, info = _named(folder, lambda: from_pretrained(folder, output_loading_info=True, **_LOCAL, **how))
    if info["missing_keys"]:  # the libraries would fill them with random numbers
        missing = sorted(info["missing_keys"])[0]
        raise PipelineFolderError(f"{folder} lacks the tensor {missing}, among others; pull the model again")
    with memory_errors_as(_too_large(folder)):
        network.requires_grad_(False)
        if layers is not None and weights is not Weights.FULL:
            quantize_layers(layers(network), weights)
        return network.to(device).eval()


def _too_large(folder: Path) -> DrawMemoryError:
    return DrawMemoryError(f"out of memory while loading {folder}; use smaller weights, or in_turn")


def _named(folder: Path, load: Callable[[], Any]) -> Any:
    """Return what is loaded; the libraries' errors become one that names the folder."""
    try:
        with memory_errors_as(_too_large(folder)):
            return load()
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise PipelineFolderError(f"{folder} cannot be loaded: {reason}; pull the model again") from error


def _refuse_what_cannot_fit(
    found: PipelineFolder,
    how: PipelineLoading,
    device: torch.device,
    dtype: torch.dtype,
    transformer: bool,
    shared: Way | None,
) -> None:
    network = network_in(found)
    if shared is not None and is_loaded(found.folder / "text_encoder", shared):
        network = replace(network, language=0, language_layers=0)
    if not transformer:  # what an engine needs, its library decides
        network = replace(network, layers=0, parameters=0)
    whole = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    refuse_if_it_cannot_fit(
        found.folder,
        network,
        free_memory(device),
        whole if how.weights is Weights.FULL else how.weights.value,
        how.resolution,
        whole,
        by_phase=how.in_turn and device.type != "cpu",
    )
    passing = memory_needs(network, whole, how.resolution, whole)
    if how.weights is not Weights.FULL:  # made small on the CPU, one network after the other
        needed = max(passing.weights, passing.language)
    else:  # what is on the device in turn rests on the CPU
        needed = passing.weights + passing.language if how.in_turn and device.type != "cpu" else 0.0
    free = free_memory(torch.device("cpu"))
    if needed > free:
        raise DrawMemoryError(
            f"{found.folder} passes through the CPU's memory with {needed:.1f} GB, and {free:.1f} GB are free there; "
            "load it on a machine with more, or without in_turn and smaller weights"
        )


def _check_configs(folder: Path, pipeline: Pipeline) -> None:
    """Refuse what the loop would silently do wrong."""
    scheduler, mmdit = pipeline.scheduler.config, pipeline.transformer.config
    if scheduler.use_dynamic_shifting or scheduler.stochastic_sampling or scheduler.invert_sigmas:
        raise PipelineFolderError(f"{folder / 'scheduler'} asks for dynamic, random or inverted steps; use fixed ones")
    if mmdit.rope_type != "rope" or mmdit.patch_size[0] != 1:
        raise PipelineFolderError(
            f"{folder / 'transformer'} has rope_type {mmdit.rope_type} and patches of {mmdit.patch_size}; "
            "only rope and patches of one frame can be run"
        )
    encoder = pipeline.text_encoder
    if encoder is not None and encoder.config.text_config.hidden_size != mmdit.text_dim:
        raise PipelineFolderError(
            f"the MMDiT in {folder} takes states of width {mmdit.text_dim}, but its MLLM gives "
            f"{encoder.config.text_config.hidden_size}; they do not belong together"
        )
