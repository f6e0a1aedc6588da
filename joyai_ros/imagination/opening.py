"""The model that the settings name, ready to draw."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from joyai_ros.errors import ConfigError, MissingDependencyError
from joyai_ros.imagination.buckets import Fitting, buckets, fit
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.presets import Preset, find_preset
from joyai_ros.imagination.model_view import ModelImaginer, filled_size
from joyai_ros.models.card import ModelCard
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.pipeline_folder import PLUS
from joyai_ros.models.store import StoredModel, find_model

if TYPE_CHECKING:  # torch is loaded with the first model, not with the settings
    from joyai_ros.imagination.mmdit.sampler import Sampler

_PRESET = "balanced"
_OPENING = threading.Lock()


@dataclass(frozen=True)
class OpenPainter:
    """A model that draws.

    Attributes:
        card: of the model.
        sampler: draws.
        shapes: (height, width) buckets of the model at 1024.
        config: the settings that it was opened with.
        fallback: why PyTorch runs it though the settings name an engine; empty otherwise.
        lock: held while it draws: nodes of one process share it.
    """

    card: ModelCard
    sampler: Sampler
    shapes: Sequence[tuple[int, int]]
    config: ImaginationConfig
    fallback: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @property
    def imaginer(self) -> ModelImaginer:
        """What imagines views with it."""
        return ModelImaginer(self.sampler, self.card.name, self.shapes, self.card.angles, self.config.parts)

    def preset(self, name: str = "") -> Preset:
        """Return a preset by its name; that of the settings or the card where it is empty. The card's guidance counts.

        Raises:
            ConfigError: there is none of this name.
        """
        chosen = name or self.config.preset or self.card.preset or _PRESET
        preset = find_preset(chosen, self.sampler.pipeline.takes_several)
        return preset if self.card.guidance is None else replace(preset, guidance=self.card.guidance)

    def fitting(self, size: tuple[int, int], base: int = 0) -> Fitting:
        """Return how an image of (width, height) fits into this model's bucket of a base size; 0: the settings', or its own.

        Raises:
            BucketError: there is no such size.
        """
        return fit(size, buckets(base or self.config.size or filled_size(size), self.shapes))


_OPENED: WeakValueDictionary[ImaginationConfig, OpenPainter] = WeakValueDictionary()


def open_painter(config: ImaginationConfig) -> OpenPainter:
    """Return the model of the settings, loaded, which takes seconds to minutes; or the one that this process has of them.

    Raises:
        CardError: there is no such card and no such folder.
        ModelFolderError: its weights are not here, not whole, not what was downloaded, or it draws nothing.
        ConfigError: there is no such preset, precision or device.
        BucketError: there is no such size.
        DrawMemoryError: it does not fit.
        EngineError, EngineFileError: the engine of the settings cannot be used, and is not to be replaced.
        MissingDependencyError: what runs it is not installed.
    """
    with _OPENING:
        opened = _OPENED.get(config)
        if opened is None:
            opened = _OPENED[config] = _open(config)
        return opened


def find_drawing_model(name: str) -> StoredModel:
    """Return a model that draws, by its card's name or its folder; it is not loaded.

    Raises:
        CardError: there is no such card and no such folder.
        ModelFolderError: its weights are not here, or it draws nothing.
    """
    found = find_model(name)
    if not found.card.draws:
        raise ModelFolderError(f"{found.card.name} answers questions and draws no images; choose a model that does")
    return found


def _open(config: ImaginationConfig) -> OpenPainter:
    if config.preset:
        find_preset(config.preset)
    loading = config.loading
    if config.size:  # else the size is the frame's, and the memory must do for what the settings of loading say
        buckets(config.size, ())
        loading = replace(loading, resolution=config.size)
    found = find_drawing_model(config.model)
    if config.show_surface and found.card.architecture != PLUS:
        raise ConfigError(f"{found.card.name} takes one image; leave show_surface out, or choose an Edit-Plus model")
    try:
        from diffusers.pipelines.joyimage.image_processor import BUCKETS

        from joyai_ros.imagination.engine_choice import open_pipeline
        from joyai_ros.imagination.mmdit.sampler import Sampler
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{error.name} is not installed; install it with: pip install 'joyai_ros[neural]'"
        ) from error
    opened = open_pipeline(found.folder, loading, config.engine)
    sampler = Sampler(opened.pipeline, denoiser=opened.denoiser)
    return OpenPainter(found.card, sampler, BUCKETS[1024], config, opened.fallback)
