"""What the MMDiT is told: the MLLM's states for a prompt and its reference images.

The states are what the last decoder layer puts out *before* the final norm, as in training. The system text before the
user's turn is the same for every prompt, so its states are dropped; the pipeline drops 34 tokens whatever they are,
which in Qwen's vocabulary are the system text and the ``<|im_start|>`` of the user's turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.recent import Recent, image_key
from joyai_ros.models.errors import PipelineFolderError
from joyai_ros.models.shared import running

# The backslash and the n are two characters: so the authors trained it.
SYSTEM = (
    "<|im_start|>system\n \\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n"
)
DROPPED_TOKENS = 34
_IMAGE = "<|image_pad|>"
_MOST_TOKENS = 4096  # with images, the last of them count
_MOST_TEXT_TOKENS = 2048  # without


class Conditioner(Protocol):
    """Gives the MLLM's states. The default one runs the pipeline's own text encoder; others may share a loaded MLLM."""

    def states(self, images: Sequence[ColorImage], prompts: Sequence[str]) -> list[Tensor]:
        """Return the (tokens, text width) states of each prompt about the same images.

        Args:
            images: (H, W, 3) uint8 RGB, as the MMDiT gets them; none for text alone.
            prompts: what to make of them; may be empty texts.
        """


class QwenConditioner:
    """Runs a Qwen3-VL. A frame goes through the vision tower once, whatever the number of its prompts.

    Attributes:
        encoder: ``Qwen3VLForConditionalGeneration``; its language model's head is never evaluated.
        processor: ``Qwen3VLProcessor``.
    """

    def __init__(self, encoder: Any, processor: Any, frames: int = 4) -> None:
        """Keep the vision features of this many sets of images.

        Raises:
            PipelineFolderError: the tokenizer splits the system text otherwise than the pipeline counts on.
        """
        self.encoder = encoder
        self.processor = processor
        self._seen: Recent[tuple[Any, Tensor]] = Recent(frames)
        found = len(processor.tokenizer(SYSTEM + "<|im_start|>").input_ids)
        if found != DROPPED_TOKENS:
            raise PipelineFolderError(
                f"the tokenizer makes {found} tokens of the system text, where {DROPPED_TOKENS} belong to it; "
                "it is not the tokenizer that the model was trained with"
            )

    def forget(self) -> None:
        """Give back the memory of what is remembered of earlier frames."""
        self._seen.clear()

    @torch.no_grad()
    def states(self, images: Sequence[ColorImage], prompts: Sequence[str]) -> list[Tensor]:
        """See :class:`Conditioner`; each prompt is run by itself, so that no padding can change its states.

        Raises:
            InputError: a prompt holds a word that rules the MLLM, or is too long without images.
        """
        for prompt in prompts:
            self._check(prompt)
        if not images:
            return [self._text_states(prompt) for prompt in prompts]
        features, grid = self._seen.get(tuple(map(image_key, images)), lambda: self._look(images))
        merge = int(self.processor.image_processor.merge_size) ** 2
        shown = "".join(f"<|vision_start|>{_IMAGE * (int(one.prod()) // merge)}<|vision_end|>" for one in grid)
        return [self._image_states(shown + prompt, features, grid) for prompt in prompts]

    def _check(self, prompt: str) -> None:
        """Refuse the tokens of the chat template in a prompt: they would end the user's turn, or stand for an image."""
        rules = sorted(word for word in self.processor.tokenizer.get_added_vocab() if word in prompt)
        if rules:
            raise InputError(f"a prompt holds {rules[0]}, which is no word but a sign of the model's; leave it out")

    def _look(self, images: Sequence[ColorImage]) -> tuple[Any, Tensor]:
        """Return the vision tower's output for some images, and the (images, 3) grid of its patches."""
        inputs = self.processor.image_processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        device, grid = self.encoder.device, inputs["image_grid_thw"]
        pixels = inputs["pixel_values"].to(device)
        with running(self.encoder):
            return self.encoder.model.get_image_features(pixels, grid.to(device), return_dict=True), grid

    def _text_states(self, prompt: str) -> Tensor:
        ids = self._tokens(prompt)
        if ids.shape[1] > _MOST_TEXT_TOKENS + DROPPED_TOKENS:
            raise InputError(
                f"a prompt of {ids.shape[1]} tokens is too long; at most {_MOST_TEXT_TOKENS} tokens describe an image"
            )
        return self._run(input_ids=ids)

    def _image_states(self, content: str, features: Any, grid: Tensor) -> Tensor:
        ids = self._tokens(content)
        is_image = ids == self.encoder.config.image_token_id
        states = self._run(
            input_ids=ids,
            mm_token_type_ids=is_image.int(),
            image_grid_thw=grid.to(ids.device),
            mm_encoder_outputs={"image": features},
        )
        return states[-_MOST_TOKENS:]

    def _tokens(self, content: str) -> Tensor:
        """Return the (1, tokens) of a whole prompt."""
        text = f"{SYSTEM}<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
        ids: Tensor = self.processor.tokenizer([text], return_tensors="pt").input_ids
        return ids.to(self.encoder.device)

    def _run(self, **inputs: Any) -> Tensor:
        """Run the language model without its head and return the (tokens, width) states that count."""
        kept: list[Tensor] = []

        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            kept.append(output[0] if isinstance(output, tuple) else output)

        with running(self.encoder):
            # hidden_states[-1] is what comes after the final norm, some ten times smaller.
            handle = self.encoder.model.language_model.layers[-1].register_forward_hook(keep)
            try:
                self.encoder.model(attention_mask=torch.ones_like(inputs["input_ids"]), use_cache=False, **inputs)
            finally:
                handle.remove()
        # A copy: a slice would keep the dropped states in memory.
        return kept[0][0, DROPPED_TOKENS:].clone()
