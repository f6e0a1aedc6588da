"""Latents and states, made once: what the MMDiT learns from does not change while it learns.

They are kept as arrays beside the run, in half precision, each with a note of what it was made of; where that differs it is
made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from joyai_ros.errors import InputError, OutputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.conditioning import QwenConditioner
from joyai_ros.imagination.mmdit.latents import Latents
from joyai_ros.imagination.mmdit.tokens import to_tokens
from joyai_ros.models.angles import Angles
from joyai_ros.training.processes import process_state
from joyai_ros.training.view.config import ViewTraining
from joyai_ros.training.view.examples import Examples
from joyai_ros.training.view.scratch import Parts
from joyai_ros.training.view.vae import OneFrame

Halves = NDArray[np.float16]
_MOST_TOKENS = 160  # of a prompt with its image, and no more at 128 pixels
# Settings that choose pairs.
_PAIRS_OF = ("mirror", "most_yaw", "most_pitch", "most_zoom", "most_off_deg", "most_off_m", "most_pairs")


@dataclass(frozen=True)
class States:
    """The MLLM's states of some prompts: (prompts, sides, tokens, width), and how many tokens (prompts, sides) are ones."""

    values: Halves
    lengths: NDArray[np.int64]


class Cache:
    """Makes what is asked for, or reads what an earlier run made.

    *Sides* are an image as it is and, where that is asked for, mirrored.

    Attributes:
        grid: rows and columns of patches of an image.
    """

    def __init__(self, folder: Path, parts: Parts, config: ViewTraining, examples: Examples) -> None:
        self._folder, self._parts, self._config, self._examples = folder, parts, config, examples
        self._sides = (False, True) if config.mirror else (False,)
        self._latents = Latents(parts.vae, torch.device("cpu"))
        self._patch = int(parts.transformer.config.patch_size[1])
        scale = self._latents.scale * self._patch
        self.grid = (examples.size[0] // scale, examples.size[1] // scale)
        shown = {name: getattr(config, name) for name in _PAIRS_OF}
        self._of = {"data": examples.store.manifest.data_hash(), **shown, "size_px": list(examples.size)}

    def of_frames(self) -> Halves:
        """Return the (frames, sides, tokens, token size) of all images."""
        numbers = range(len(self._examples.frames))
        return self._tokens("frames", len(numbers), (self._examples.image(number) for number in numbers))

    def of_starts(self) -> Halves:
        """Return the (pairs, sides, tokens, token size) of what each pair's source measured, seen from its target."""
        return self._tokens("starts", len(self._examples.pairs), self._examples.warps())

    def of_prompts(self, angles: Angles) -> States:
        """Return the states of each pair's prompt with its source."""
        pairs = self._examples.pairs
        rows = ((pair.source, [pair.prompt(angles, side) for side in self._sides]) for pair in pairs)
        return self._states("prompts", len(pairs), rows, {"angles": [angles.yaw_sign, angles.pitch_sign]})

    def of_wordless(self) -> States:
        """Return the states of each frame with an empty prompt."""
        count = len(self._examples.frames)
        return self._states("wordless", count, ((number, [""] * len(self._sides)) for number in range(count)), {})

    def of_descriptions(self) -> States:
        """Return the states of each frame's description, without its image."""
        count = len(self._examples.frames)
        texts = (self._examples.description(number) for number in range(count))
        rows = ((None, [text] * len(self._sides)) for text in texts)
        return self._states("described", count, rows, {})

    def _tokens(self, name: str, count: int, images: Iterable[ColorImage]) -> Halves:
        tokens = self.grid[0] * self.grid[1]
        shape = (count, len(self._sides), tokens, self._latents.channels * self._patch**2)

        def fill(values: Halves) -> None:
            for row, image in enumerate(images):
                for side, is_mirrored in enumerate(self._sides):
                    latent = self._latents.encode(image[:, ::-1] if is_mirrored else image)
                    values[row, side] = to_tokens(latent, self._patch)[0].numpy()

        with torch.no_grad(), OneFrame(self._parts.vae):
            return self._kept(name, shape, {"vae": digest_of(self._parts.vae)}, fill)

    def _states(
        self, name: str, count: int, rows: Iterable[tuple[int | None, list[str]]], of: Mapping[str, Any]
    ) -> States:
        """Return the states of prompts, one for each side, about each row's frame; where that is None, of text alone."""
        conditioner = QwenConditioner(self._parts.text_encoder.eval(), self._parts.processor, frames=2)
        width = int(self._parts.text_encoder.config.text_config.hidden_size)

        def fill(values: Halves) -> None:
            for row, (frame, prompts) in enumerate(rows):
                image = None if frame is None else self._examples.image(frame)
                for side, is_mirrored in enumerate(self._sides):
                    shown = [] if image is None else [np.ascontiguousarray(image[:, ::-1] if is_mirrored else image)]
                    states = conditioner.states(shown, [prompts[side]])[0].float().numpy()
                    if len(states) > _MOST_TOKENS:
                        raise InputError(
                            f"a prompt has {len(states)} tokens, more than {_MOST_TOKENS}; lower data size"
                        )
                    values[row, side, : len(states), :width] = states
                    values[row, side, : len(states), width] = 1.0

        # The last column says which tokens are ones.
        shape = (count, len(self._sides), _MOST_TOKENS, width + 1)
        values = self._kept(name, shape, {"mllm": digest_of(self._parts.text_encoder), **of}, fill)
        lengths = (values[..., width] > 0).sum(axis=2)
        return States(values[:, :, : int(lengths.max()), :width], lengths)

    def _kept(
        self, name: str, shape: tuple[int, ...], made_of: Mapping[str, Any], fill: Callable[[Halves], None]
    ) -> Halves:
        """Return an array of the cache; it is made anew where it is of something else, by the first of several processes.

        Raises:
            OutputError: it cannot be written.
        """
        with process_state().main_process_first():
            return self._found_or_made(name, shape, made_of, fill)

    def _found_or_made(
        self, name: str, shape: tuple[int, ...], made_of: Mapping[str, Any], fill: Callable[[Halves], None]
    ) -> Halves:
        array, note = self._folder / f"{name}.npy", self._folder / f"{name}.json"
        said = json.dumps({**self._of, **made_of, "shape": shape}, sort_keys=True)
        if not (array.is_file() and note.is_file() and note.read_text(encoding="utf-8") == said):
            partial = array.with_suffix(".partial")
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                note.unlink(missing_ok=True)
                values = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
                fill(values)
                values.flush()
                os.replace(partial, array)
                note.write_text(said, encoding="utf-8")
            except OSError as error:
                raise OutputError(
                    f"{array} cannot be written ({error.strerror}); make room and run it again"
                ) from error
        kept: Halves = np.load(array, mmap_mode="r")
        return kept


def digest_of(network: Any) -> str:
    """Return a digest of a network's weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
