"""From samples to documents: the tokens, positions and patches of one question with its answer.

The prompt is encoded by the same code that asks the model at run time; the answer follows it, and the token that ends it.
Further questions follow as turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.training.mllm.samples import ImageRef, Sample
from joyai_ros.understanding.chat import ChatEncoder
from joyai_ros.understanding.processor import patches_of
from joyai_ros.understanding.prompts import SYSTEM

_TEXTS = 10_000  # whose tokens are remembered


@dataclass(frozen=True)
class Document:
    """One sample as the model takes it; L tokens, N image patches.

    Attributes:
        tokens: (L,) long.
        positions: (4, L) long: of the text, and time, row, column.
        before, wanted: (T,) long, places of the answers' tokens less one, from which they are foretold, and these tokens.
        weight: of these tokens, beside those of other documents.
        shows: (S,) long, places of image tokens that learn to show a word about their image; often none.
        shown: (S,) long, tokens of the words for it.
        patches: (N, values of a patch) float; None without images.
        grids: (images, 3) long: time, rows, columns; None without images.
        general: whether the teacher is asked about it.
    """

    tokens: Tensor
    positions: Tensor
    before: Tensor
    wanted: Tensor
    weight: float
    shows: Tensor
    shown: Tensor
    patches: Tensor | None
    grids: Tensor | None
    general: bool

    def __len__(self) -> int:
        return int(self.tokens.shape[0])


class Images(Protocol):
    """Gives the images of samples."""

    def __call__(self, ref: ImageRef) -> ColorImage:
        """Return an image, (H, W, 3) uint8 RGB."""


class Encoder:
    """Makes documents."""

    def __init__(self, processor: Any, images: Images, most_pixels: int) -> None:
        """Keep what is needed.

        Args:
            processor: ``Qwen3VLProcessor``.
            images: of the samples.
            most_pixels: larger images are made smaller.
        """
        self._processor, self._images, self._most_pixels = processor, images, most_pixels
        self._chat = ChatEncoder(processor)
        self._text = lru_cache(_TEXTS)(self._encode_text)  # answers and the words of listings come again and again
        self._line = self._text("\n")
        self._merge = int(processor.image_processor.merge_size)
        self._end: int = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")

    def encode(self, sample: Sample, general: bool = False) -> Document:
        """Return the document of a sample.

        Raises:
            InputError: the tokenizer has not the words of a listing.
        """
        patches, shapes = None, None
        if not sample.answer and not any(ref.shows for ref in sample.images):
            raise InputError(
                f"the sample {sample.id} has neither an answer nor anything that its images show; leave it out"
            )
        if sample.images:
            looks = [self._images(ref) for ref in sample.images]
            patches, shapes = patches_of(self._processor, looks, self._most_pixels)
        grids = [] if shapes is None else shapes.tolist()
        counts = [time * rows * columns // self._merge**2 for time, rows, columns in grids]
        chat = self._chat.encode(SYSTEM if sample.asks else "", sample.prompt, counts)
        tokens, learned = list(chat.prefix), [False] * len(chat.prefix)

        def add(more: Sequence[int], is_learned: bool) -> None:
            tokens.extend(more)
            learned.extend([is_learned] * len(more))

        add(self._text(sample.lead), False)
        add(chat.suffix, False)
        add(self._text(sample.given), False)
        if sample.answer:
            add([*self._text(sample.answer), self._end], True)
        for prompt, answer in sample.more:
            turn = self._chat.encode("", prompt, [])
            add([*self._line, *turn.prefix, *turn.suffix], False)
            add([*self._text(answer), self._end], True)
        ids, wanted = torch.tensor(tokens), torch.tensor(learned).nonzero()[:, 0]
        shows, shown = self._shown(sample, ids, grids)
        return Document(
            tokens=ids,
            positions=positions_of(tokens, self._chat.image_token, grids, self._merge),
            before=wanted - 1,
            wanted=ids[wanted],
            weight=sample.weight,
            shows=shows,
            shown=shown,
            patches=patches,
            grids=shapes,
            general=general,
        )

    def _shown(self, sample: Sample, ids: Tensor, grids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the places of the image tokens that learn what they show, and the first token of each word for it."""
        places = (ids == self._chat.image_token).nonzero()[:, 0].tolist()
        kept: list[tuple[int, int]] = []
        first = 0
        for ref, (_, rows, columns) in zip(sample.images, grids, strict=True):
            rows, columns = int(rows) // self._merge, int(columns) // self._merge
            for down, right, word in ref.shows:
                row, column = rows // 2 + down, columns // 2 + right
                if not (0 <= row < rows and 0 <= column < columns):
                    raise InputError(
                        f"an image of {columns} x {rows} tokens has none beside its middle to show {word!r}; set scratch.patch "
                        "lower or pixels higher"
                    )
                kept.append((places[first + row * columns + column], self._only_token(word)))
            first += rows * columns
        both = torch.tensor(kept, dtype=torch.long).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _only_token(self, word: str) -> int:
        tokens = self._text(word)
        if len(tokens) != 1:
            raise InputError(
                f"the tokenizer has no token {word!r}, so no image token can learn to show it; begin with a model that lists"
            )
        return tokens[0]

    def _encode_text(self, text: str) -> tuple[int, ...]:
        return tuple(self._processor.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


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
