"""A small Qwen3-VL with random weights, and its processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.mllm.config import ScratchSizes
from joyai_ros.training.mllm.vocabulary import listing_texts, phrases, set_numbers
from joyai_ros.training.tokenizer import SPECIAL_TOKENS, scratch_processor
from joyai_ros.understanding.listing import CUTOUT


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
        set_numbers(model, processor.tokenizer)
    end, pad = (processor.tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    model.generation_config = generation(do_sample=False, eos_token_id=[end, pad], pad_token_id=pad)
    return model, processor


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
        "deepstack_visual_indexes": sorted({sizes.vision_layers // 3, 2 * sizes.vision_layers // 3})[: sizes.layers],
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
