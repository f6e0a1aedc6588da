"""A small MLLM from scratch learns to read camera prompts.

The MMDiT is told a motion by the MLLM's states alone, and those of random weights hardly say how digits make a number. Here
the states at the end of a prompt learn to hold the angles, as sines and cosines at several scales, from which a later layer can
read them; the real model has learned as much from its questions. What reads them here is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.mmdit.conditioning import SYSTEM
from joyai_ros.imagination.requests import MoveCamera
from joyai_ros.training.view.config import ViewTraining
from joyai_ros.training.view.scratch import Parts

_END = 5  # tokens of a prompt's end that hold the numbers: <|im_end|>, new line, <|im_start|>, assistant, new line
_SCALES = (0.5, 1.0, 2.0, 4.0)  # turns per widest angle


def numbers_of(motion: CameraMotion, config: ViewTraining) -> list[float]:
    """Return what the states are to hold: sines and cosines of yaw, pitch and which way the zoom goes."""
    zoom = 0.0 if abs(math.log(motion.zoom)) < math.log(1.02) else math.copysign(0.5, math.log(motion.zoom))
    shares = (motion.yaw_deg / config.most_yaw, motion.pitch_deg / config.most_pitch, zoom)
    return [f(math.pi * scale * share) for share in shares for scale in _SCALES for f in (math.sin, math.cos)]


@dataclass(frozen=True)
class Prompts:
    """A batch: what the MLLM takes, and the (prompts, numbers) that it is to tell."""

    inputs: dict[str, Tensor]
    numbers: Tensor


class WordsLearner:
    """Learns numbers from prompts about images; see :class:`joyai_ros.training.loop.Learner`."""

    def __init__(self, parts: Parts, config: ViewTraining, images: Sequence[ColorImage]) -> None:
        """Take images that prompts are about; a few suffice, since nothing is asked about them."""
        self._config, self._tokenizer = config, parts.processor.tokenizer
        numbers = len(numbers_of(CameraMotion(), config))
        self.module: nn.Module = _Reader(parts.text_encoder, config.scratch.text.width, numbers)
        looker = parts.processor.image_processor
        looks = [looker(images=[image], input_data_format="channels_last", return_tensors="pt") for image in images]
        self._looks = [(look["pixel_values"], look["image_grid_thw"]) for look in looks]
        self._tokens = int(self._looks[0][1].prod()) // int(looker.merge_size) ** 2

    def groups(self) -> list[dict[str, Any]]:
        """Return all parameters."""
        return [{"params": list(self.module.parameters())}]

    def batch(self, step: int, part: int) -> Prompts:
        """Return prompts of motions all over what is asked, each about a drawn image."""
        config = self._config
        random = np.random.default_rng([config.seed, 1, step, part])
        motions = [_motion(config, random) for _ in range(config.words.batch)]
        looks = [self._looks[int(number)] for number in random.integers(len(self._looks), size=len(motions))]
        shown = f"<|vision_start|>{'<|image_pad|>' * self._tokens}<|vision_end|>"
        texts = [
            f"{SYSTEM}<|im_start|>user\n{shown}{MoveCamera(motion).prompt}<|im_end|>\n<|im_start|>assistant\n"
            for motion in motions
        ]
        # Padded on the left, so that the ends stand below each other.
        inputs = dict(self._tokenizer(texts, padding=True, padding_side="left", return_tensors="pt"))
        inputs["pixel_values"] = torch.cat([pixels for pixels, _ in looks])
        inputs["image_grid_thw"] = torch.cat([grid for _, grid in looks])
        numbers = torch.tensor([numbers_of(motion, config) for motion in motions])
        return Prompts(inputs, numbers)

    def loss(self, batch: Prompts, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the mean squared error of all numbers at all tokens of the end."""
        del generator
        device = next(self.module.parameters()).device
        told = self.module({name: value.to(device) for name, value in batch.inputs.items()})
        return (told - batch.numbers.to(device)[:, None]).square().mean(), {}


class _Reader(nn.Module):
    """An MLLM, and what reads numbers from its states before the final norm."""

    def __init__(self, encoder: Any, width: int, numbers: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.tell = nn.Linear(width, numbers)
        encoder.model.language_model.norm.requires_grad_(False)  # comes after what is read

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the (prompts, tokens of the end, numbers)."""
        kept: list[Tensor] = []

        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            kept.append(output[0] if isinstance(output, tuple) else output)

        handle = self.encoder.model.language_model.layers[-1].register_forward_hook(keep)
        try:
            types = (inputs["input_ids"] == self.encoder.config.image_token_id).int()
            self.encoder.model(**inputs, mm_token_type_ids=types, use_cache=False)
        finally:
            handle.remove()
        told: Tensor = self.tell(kept[0][:, -_END:].float())
        return told


def _motion(config: ViewTraining, random: np.random.Generator) -> CameraMotion:
    zoom = 1.0 if random.random() < 0.3 else math.exp(random.uniform(-1.0, 1.0) * math.log(config.most_zoom))
    return CameraMotion(
        random.uniform(-config.most_yaw, config.most_yaw), random.uniform(-config.most_pitch, config.most_pitch), zoom
    )
