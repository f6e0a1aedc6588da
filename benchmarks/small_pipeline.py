"""A small random JoyImageEdit pipeline folder, saved by diffusers itself, for tests and benchmarks of the loading code.

About 6 million parameters. Its pictures mean nothing; that they have the right size, follow the seed and depend on
prompt and reference as the real model's do, does. Its tokenizer splits the system text of the pipeline's template into
the same 33 tokens as Qwen's own, and the start of the user's turn is the 34th.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.small_model import small_config
from joyai_ros.training.tokenizer import SPECIAL_TOKENS, scratch_processor

_TEXTS = [
    "Move the camera.\n- Camera rotation: Yaw 30°, Pitch -15°.\n- Camera zoom: in/out/unchanged.",
    "- Keep the 3D scene static; only change the viewpoint.",
    "Move the red box into the other one, left and right",
]


def write_small_pipeline(folder: Path, seed: int = 0, plus: bool = False) -> Path:
    """Write the folder and return it.

    Args:
        folder: is made.
        seed: of the weights.
        plus: whether it is the pipeline for several references of any size.
    """
    from diffusers import JoyImageEditPipeline, JoyImageEditPlusPipeline

    kind: Any = JoyImageEditPlusPipeline if plus else JoyImageEditPipeline
    kind(**_parts(seed, plus)).save_pretrained(folder, safe_serialization=True)
    # It is a subclass of ours, without a video processor, which any installation loads as the stock one.
    index = folder / "model_index.json"
    content = json.loads(index.read_text())
    content["processor"] = ["transformers", "Qwen3VLProcessor"]
    index.write_text(json.dumps(content, indent=2) + "\n")
    return folder


def small_transformer(plus: bool = False, **config: Any) -> Any:
    """Return a small random MMDiT; ``config`` replaces values of its configuration."""
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel
    from diffusers.models.transformers.transformer_joyimage_edit_plus import JoyImageEditPlusTransformer3DModel

    kind: Any = JoyImageEditPlusTransformer3DModel if plus else JoyImageEditTransformer3DModel
    values = {
        "patch_size": [1, 2, 2],
        "in_channels": 16,
        "hidden_size": 96,
        "num_attention_heads": 4,
        "text_dim": 192,
        "num_layers": 4,
        "rope_dim_list": [8, 8, 8],
        "theta": 10000,
    }
    model = kind(**(values | config)).eval()
    # As they come, the modulation tables are zero, and the blocks would add next to nothing to their input.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("modulate_table"):
                weight.normal_(std=0.5)
    return model


def _parts(seed: int, plus: bool) -> dict[str, Any]:
    """Return the pipeline's parts."""
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler
    from transformers import Qwen3VLForConditionalGeneration

    processor = scratch_processor(_TEXTS * 50, 900)
    tokenizer = processor.tokenizer
    torch.manual_seed(seed)
    config = small_config({token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS})
    vae: Any = AutoencoderKLWan
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    return {
        "scheduler": scheduler(shift=1.5),
        "vae": vae(base_dim=16, num_res_blocks=1).eval(),
        "text_encoder": Qwen3VLForConditionalGeneration(config).eval(),  # type: ignore[no-untyped-call]
        "tokenizer": tokenizer,
        "transformer": small_transformer(plus),
        "processor": processor,
    }
