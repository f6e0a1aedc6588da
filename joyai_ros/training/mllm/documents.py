"""From samples to documents: the tokens, positions and patches of one question with its answer.

The prompt is encoded by the same code that asks the model at run time; the answer follows it, and the token that ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.training.mllm.samples import ImageRef, Sample
from joyai_ros.understanding.chat import ChatEncoder
from joyai_ros.understanding.processor import patches_of
from joyai_ros.understanding.prompts import SYSTEM


@dataclass(frozen=True)
class Document:
    """One sample as the model takes it; L tokens, N image patches.

    Attributes:
        tokens: (L,) long.
        positions: (4, L) long: of the text, and time, row, column.
        answer: tokens of the answer, which are the last ones.
        patches: (N, values of a patch) float; None without images.
        grids: (images, 3) long: time, rows, columns; None without images.
        general: whether the teacher is asked about it.
    """

    tokens: Tensor
    positions: Tensor
    answer: int
    patches: Tensor | None
    grids: Tensor | None
    general: bool

    def __len__(self) -> int:
        return int(self.tokens.shape[0])


class Encoder:
    """Makes documents."""

    def __init__(self, processor: Any, image_of: Callable[[ImageRef], ColorImage], most_pixels: int) -> None:
        """Keep what is needed.

        Args:
            processor: ``Qwen3VLProcessor``.
            image_of: gives a sample's images, (H, W, 3) uint8 RGB.
            most_pixels: larger images are made smaller.
        """
        self._processor, self._image_of, self._most_pixels = processor, image_of, most_pixels
        self._chat = ChatEncoder(processor)
        self._merge = int(processor.image_processor.merge_size)
        self._end: int = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")

    def encode(self, sample: Sample, general: bool = False) -> Document:
        """Return the document of a sample."""
        looks = [patches_of(self._processor, self._image_of(ref), self._most_pixels) for ref in sample.images]
        grids = [grid[0].tolist() for _, grid in looks]
        counts = [time * rows * columns // self._merge**2 for time, rows, columns in grids]
        chat = self._chat.encode(SYSTEM, sample.prompt, counts)
        answer = self._processor.tokenizer.encode(sample.answer, add_special_tokens=False, split_special_tokens=True)
        tokens = [*chat.prefix, *chat.suffix, *answer, self._end]
        return Document(
            tokens=torch.tensor(tokens),
            positions=positions_of(tokens, self._chat.image_token, grids, self._merge),
            answer=len(answer) + 1,
            patches=torch.cat([patches for patches, _ in looks]) if looks else None,
            grids=torch.cat([grid for _, grid in looks]) if looks else None,
            general=general,
        )


def positions_of(tokens: Sequence[int], image_token: int, grids: Sequence[Sequence[int]], merge: int) -> Tensor:
    """Return the (4, L) positions of a document: its own count of tokens, and Qwen3-VL's time, row and column.

    Args:
        tokens: of the document, one image token for each merged patch.
        image_token: its id.
        grids: of each image: time (1), rows and columns of patches.
        merge: patches along a side that make one token.
    """
    pieces: list[Tensor] = []
    place, at, image = 0, 0, 0
    while at < len(tokens):
        if tokens[at] == image_token:
            rows, columns = (int(count) // merge for count in grids[image][1:])
            row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            pieces.append(place + torch.stack([torch.zeros_like(row), row, column]).reshape(3, -1))
            place, at, image = place + max(rows, columns), at + rows * columns, image + 1
            continue
        end = at
        while end < len(tokens) and tokens[end] != image_token:
            end += 1
        pieces.append((place + torch.arange(end - at)).expand(3, -1))
        place, at = place + end - at, end
    return torch.cat([torch.arange(len(tokens))[None], torch.cat(pieces, dim=1)])
