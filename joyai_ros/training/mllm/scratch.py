"""A small Qwen3-VL with random weights, and its processor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.mllm.config import ScratchSizes
from joyai_ros.training.mllm.deepen import deep_places
from joyai_ros.training.mllm.vocabulary import listing_texts, phrases, set_numbers
from joyai_ros.training.tokenizer import SPECIAL_TOKENS, scratch_processor
from joyai_ros.understanding.listing import CUTOUT

_POSITIONS = 0.7  # standard deviation of what says where a patch is
_HALF_WAVES = (0.5, 6.0)  # over an image, from the slowest to the fastest


def scratch_model(sizes: ScratchSizes, texts: Sequence[str], seed: int) -> tuple[Any, Any]:
    """Return a new ``Qwen3VLForConditionalGeneration``, float32, and its ``Qwen3VLProcessor``.

    Args:
        sizes: of the model.
        texts: what the tokenizer's words come from.
        seed: of the weights.

    Raises:
        ConfigError: the sizes do not go together.
    """
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    processor = scratch_processor(
        listing_texts() if sizes.listing else texts,
        sizes.vocabulary,
        sizes.patch,
        most_pixels=sizes.pixels,
        least_pixels=min(CUTOUT**2, sizes.pixels),
        phrases=phrases() if sizes.listing else (),
    )
    config = _config(sizes, processor.tokenizer)
    torch.manual_seed(seed)
    kind: Any = Qwen3VLForConditionalGeneration
    generation: Any = GenerationConfig
    model = kind(config)
    if sizes.listing:
        renew_vision(model, seed)
        set_numbers(model, processor.tokenizer)
    end, pad = (processor.tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    model.generation_config = generation(do_sample=False, eos_token_id=[end, pad], pad_token_id=pad)
    return model, processor


def renew_vision(model: Any, seed: int) -> None:
    """Begin a model's vision encoder anew, so that a small one learns from few images.

    Weights keep the size of what they are multiplied with, and positions begin as waves as strong as what patches say: with
    transformers' own beginnings a patch hardly knows where it is, and learning to say where things are takes long.

    Args:
        model: ``Qwen3VLForConditionalGeneration``; changed.
        seed: of the weights.
    """
    visual = model.model.visual
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in visual.named_parameters():
            if weight.ndim >= 2:
                weight.normal_(std=weight[0].numel() ** -0.5, generator=generator)
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
        places = visual.pos_embed.weight
        waves = _waves(round(len(places) ** 0.5), places.shape[1])
        places.copy_(waves * (_POSITIONS / waves.std()))


def _waves(side: int, width: int) -> torch.Tensor:
    """Return sines and cosines of the rows and columns of a square, (side * side, width)."""
    slowest, fastest = (math.log2(half_waves) for half_waves in _HALF_WAVES)
    count = math.pi * torch.logspace(slowest, fastest, width // 4, base=2.0)
    angles = torch.linspace(0.0, 1.0, side)[:, None] * count
    each = torch.cat([angles.sin(), angles.cos()], dim=1)
    both = [each[:, None].expand(side, side, -1), each[None].expand(side, side, -1)]
    return torch.cat(both, dim=-1).reshape(side * side, -1)


def _config(sizes: ScratchSizes, tokenizer: Any) -> Any:
    from transformers import Qwen3VLConfig

    if sizes.head % 16 or sizes.heads % sizes.key_heads or sizes.vision_width % (4 * sizes.vision_heads):
        raise ConfigError(
            "in scratch: head must be a multiple of 16, heads of key_heads, and vision_width of 4 x vision_heads; they are "
            f"{sizes.head}, {sizes.heads} of {sizes.key_heads}, and {sizes.vision_width} of 4 x {sizes.vision_heads}"
        )
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    place = sizes.head // 2 * 5 // 16  # of the angles, as in the real model: 12 of time, 10 of rows, 10 of columns
    text = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.mlp,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.key_heads,
        "head_dim": sizes.head,
        "max_position_embeddings": sizes.context,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [sizes.head // 2 - 2 * place, place, place],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_width,
        "intermediate_size": sizes.vision_mlp,
        "num_heads": sizes.vision_heads,
        "patch_size": sizes.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": sizes.width,
        "num_position_embeddings": 256,
        # What enters the language model's first layers, one each.
        "deepstack_visual_indexes": deep_places(sizes.vision_layers)[: sizes.layers],
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
