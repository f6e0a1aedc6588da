"""Qwen3-VL's forward passes, cut where questions about one frame part: vision features, prefix, questions.

Images come first in the prompt, so every question about a frame shares the keys and values of the system text and the
images. They are computed once and lent to each question. Positions (three of them per token: time, row, column) go on
after the prefix where the whole prompt would have them, and vision features enter in the prefix alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, StaticCache

from joyai_ros.models.shared import running
from joyai_ros.understanding.question_pass import QuestionPass


@dataclass(frozen=True)
class Features:
    """What the vision tower makes of one image.

    Attributes:
        grid: (1, 3) long: time, rows and columns of its patches.
        merged: (tokens, hidden) for the input of the language model.
        deep: (tokens, hidden) for each of its first layers.
    """

    grid: Tensor
    merged: Tensor
    deep: tuple[Tensor, ...]


@dataclass(frozen=True)
class Prefix:
    """What all questions about a frame share.

    Attributes:
        layers: keys and values of each layer, (1, heads, length, head size).
        length: tokens.
        position: where the next token stands.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    length: int
    position: int


class Network:
    """The loaded model, cut into its passes.

    Attributes:
        model: ``Qwen3VLForConditionalGeneration``.
        device: where its inputs go.
        static: whether keys and values stand in memory of fixed size, which compiled steps need.
    """

    def __init__(self, model: Any, static: bool = False, compiled: bool = False) -> None:
        self.model = model
        self.static = static
        self.device: torch.device = model.get_input_embeddings().weight.device
        self._image_token = int(model.config.image_token_id)
        self._language = model.model.language_model
        self._merge = int(model.config.vision_config.spatial_merge_size) ** 2
        self._step = torch.compile(self._language) if compiled else self._language
        devices = {weight.device for weight in self._language.parameters()}
        plain = not static and len(devices) == 1 and model.config.text_config._attn_implementation == "sdpa"
        self._question_pass = QuestionPass(self._language) if plain else None

    @property
    def vocabulary(self) -> int:
        """How many logits there are."""
        return int(self.model.config.text_config.vocab_size)

    @property
    def context(self) -> int:
        """The most tokens of prompt and answer together."""
        return int(self.model.config.text_config.max_position_embeddings)

    def image_tokens(self, grid: Tensor) -> int:
        """Return how many tokens an image takes; ``grid`` as in :class:`Features`."""
        return int(grid.prod()) // self._merge

    def features(self, patches: Tensor, grids: Tensor) -> list[Features]:
        """Run the vision tower over some images (see ``processor.patches_of``)."""
        visual = self.model.model.visual
        with running(self.model):
            out = visual(patches.to(self.device, visual.dtype), grid_thw=grids.to(self.device))
        counts = [self.image_tokens(grid) for grid in grids]
        layers = [layer.split(counts) for layer in (out.pooler_output, *out.deepstack_features)]
        kept = [grid[None] for grid in grids.cpu()]
        return [Features(grid, merged, tuple(deep)) for grid, merged, *deep in zip(kept, *layers, strict=True)]

    def prefix(self, tokens: Sequence[int], images: Sequence[Features]) -> Prefix:
        """Run the language model over the tokens before the question."""
        return self.prefixes(tokens, [images])[0]

    def prefixes(self, tokens: Sequence[int], rows: Sequence[Sequence[Features]]) -> list[Prefix]:
        """Run the language model over the tokens before some questions, at once.

        Args:
            tokens: the same for all.
            rows: images of each, of the same sizes.
        """
        ids = torch.tensor([tokens])
        positions = self._positions(ids, rows[0])
        ids = ids.expand(len(rows), -1).to(self.device)
        is_image = ids == self._image_token
        embedded = self.model.get_input_embeddings()(ids)
        images = [image for row in rows for image in row]
        deep = None
        if images:
            merged = torch.cat([image.merged for image in images]).to(embedded)
            embedded = embedded.masked_scatter(is_image[..., None].expand_as(embedded), merged)
            deep = [torch.cat(layer).to(embedded) for layer in zip(*(image.deep for image in images), strict=True)]
        cache: Any = DynamicCache(config=self.model.config.text_config)
        with running(self.model):
            self._language(
                inputs_embeds=embedded,
                position_ids=positions.expand(-1, len(rows), -1).to(self.device),
                past_key_values=cache,
                use_cache=True,
                visual_pos_masks=is_image if images else None,
                deepstack_visual_embeds=deep,
            )
        position = int(positions.max()) + 1
        layers = [
            [(keys, values) for keys, values in zip(layer.keys.split(1), layer.values.split(1), strict=True)]
            for layer in cache.layers
        ]
        return [Prefix(tuple(row), len(tokens), position) for row in zip(*layers, strict=True)]

    def branch(self, prefixes: Sequence[Prefix], room: int) -> Any:
        """Return a cache that starts with prefixes, for some questions at once.

        Args:
            prefixes: of each question, all of one length; not changed by what the questions add.
            room: tokens that each question can add.
        """
        text = self.model.config.text_config
        if self.static:
            # A few sizes only: a compiled step is compiled again for each.
            size = -(-(prefixes[0].length + room) // 256) * 256
            cache: Any = StaticCache(config=text, max_cache_len=size)
        else:
            cache = DynamicCache(config=text)
        for index in range(len(prefixes[0].layers)):
            keys, values = (_rows([prefix.layers[index][part] for prefix in prefixes]) for part in (0, 1))
            cache.update(keys, values, index)
        return cache

    def extend(self, cache: Any, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Run the language model over further tokens and return the (rows, vocabulary) logits after the last of each.

        Args:
            cache: from :meth:`branch`; grows.
            ids: (rows, tokens) long, padded on the left.
            positions: (rows, tokens) long.
            mask: (rows, all tokens so far) long, 0 where a token is padding; None where there is none.
        """
        with running(self.model):
            return self._extended(cache, ids, positions, mask)

    def _extended(self, cache: Any, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        embedded = self.model.get_input_embeddings()(ids)
        if self._question_pass is not None:
            last = self._question_pass(embedded, positions, mask, cache)
        else:
            run = self._step if ids.shape[1] == 1 else self._language
            last = run(
                inputs_embeds=embedded,
                position_ids=positions[None].expand(3, -1, -1),
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state[:, -1]
        logits: Tensor = self.model.lm_head(last)
        return logits.float()

    def _positions(self, ids: Tensor, images: Sequence[Features]) -> Tensor:
        """Return the (3, 1, tokens) positions of a prefix, on the CPU: they are counted one by one."""
        if not images:
            return torch.arange(ids.shape[1])[None, None].expand(3, 1, -1)
        kinds = (ids == self._image_token).int()
        grids = torch.cat([image.grid for image in images])
        positions, _ = self.model.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grids)
        return torch.as_tensor(positions)


def _rows(parts: Sequence[Tensor]) -> Tensor:
    """Return (1, ...) tensors as rows of one; the same tensor again and again takes no memory."""
    if all(part is parts[0] for part in parts):
        return parts[0].expand(len(parts), *[-1] * (parts[0].ndim - 1))
    return torch.cat(list(parts))
