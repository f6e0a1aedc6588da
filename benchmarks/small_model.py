"""A small random Qwen3-VL folder with the file layout of the real one, for tests and benchmarks of the loading code.

About 3 million parameters, a byte-level BPE tokenizer trained here on seeded text with Qwen's special tokens, and the
weights in several safetensors shards with their index. Its answers mean nothing; that they have the right form does.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

VOCABULARY = 1024  # rows of the embedding; the tokenizer has a few fewer, as the real one has
SHARD_BYTES = 4_000_000

_THINGS = "cup mug box can ball table shelf robot camera bottle banana drill block plate tray door chair"
_PLACES = "left of,right of,in front of,behind,above,below,near,far from,between,on top of"
_OTHERS = "what how where which is are the a many far high wide does stand lie object distance metres answer"


def write_small_model(folder: Path, seed: int = 0, **vision_config: Any) -> Path:
    """Write the folder and return it.

    Args:
        folder: is made.
        seed: of the weights and of the tokenizer's text.
        vision_config: replaces values of the vision tower's configuration (``patch_size=8``).
    """
    import torch
    from transformers import GenerationConfig, Qwen3VLForConditionalGeneration

    from joyai_ros.training.tokenizer import SPECIAL_TOKENS, write_image_processor, write_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(folder, _sentences(seed), VOCABULARY - len(SPECIAL_TOKENS))
    write_image_processor(folder, vision_config.get("patch_size", 16))
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(small_config(ids, **vision_config))
    model.eval()  # type: ignore[no-untyped-call]
    # Weights as they come would give nearly the same logit to every token.
    with torch.no_grad():
        model.lm_head.weight.mul_(20.0)
    end = ids["<|im_end|>"]
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        eos_token_id=[end, ids["<|endoftext|>"]],
        pad_token_id=ids["<|endoftext|>"],
    )
    model.save_pretrained(folder, max_shard_size=SHARD_BYTES)
    return folder


def small_config(ids: dict[str, int], **vision_config: Any) -> Any:
    """Return the configuration of the small model.

    Args:
        ids: of the special tokens.
        vision_config: replaces values of the vision tower's part.
    """
    from transformers import Qwen3VLConfig

    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 32768,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_section": [12, 10, 10],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": 4,
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_heads": 4,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 192,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [1, 2],
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision | vision_config,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )


def full_config() -> Any:
    """Return the configuration of Qwen3-VL-8B, which JoyAI-Image-Und has too."""
    from transformers import Qwen3VLConfig

    text = {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
    }
    vision = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "out_hidden_size": 4096}
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False)


def _sentences(seed: int) -> list[str]:
    """Return seeded text of the kind that questions and answers are made of."""
    draw = random.Random(seed)
    things = _THINGS.split()
    places = _PLACES.split(",")
    words = _OTHERS.split()
    lines = []
    for _ in range(600):
        one, other = draw.sample(things, 2)
        lines.append(f"The {one} is {draw.choice(places)} the {other}.")
        lines.append(" ".join(draw.choices(words + things, k=9)) + "?")
        lines.append(json.dumps({"value": round(draw.uniform(0, 9), 2), "unit": draw.choice(["m", "cm", "mm"])}))
        lines.append(json.dumps({"objects": [{"bbox_2d": [draw.randrange(1000) for _ in range(4)], "label": one}]}))
        lines.append(json.dumps({draw.choice(["answer", "text"]): other}))
    return lines
