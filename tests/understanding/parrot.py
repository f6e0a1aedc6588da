"""A small model folder that was trained, for seconds, to say one thing: answers through a server that holds no schema."""

from pathlib import Path

import numpy as np

from benchmarks.small_model import SHARD_BYTES, write_small_model
from joyai_ros.understanding.processor import load_processor

_STEPS = 120
_ENOUGH = 0.02  # loss at which it no longer errs


def write_parrot(folder: Path, says: str) -> Path:
    """Write a Qwen3-VL folder whose model answers every question with these words, and return it."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    write_small_model(folder)
    processor = load_processor(folder)
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    draw = np.random.default_rng(0)
    losses = []
    for _ in range(_STEPS):
        inputs, labels = _example(processor, draw, says)
        loss = model(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if max(losses[-5:]) < _ENOUGH and len(losses) > 20:
            break
    assert max(losses[-5:]) < 10 * _ENOUGH, "the small model did not learn its words"
    model.save_pretrained(folder, max_shard_size=SHARD_BYTES)
    return folder


def _example(processor, draw, says):
    """Return a random question about random images with the answer after it, and the labels of the answer alone."""
    import torch

    words = [str(word) for word in draw.choice(["where", "is", "the", "cup", "left", "JSON", "schema", "{}", "7"], 12)]
    images = [draw.integers(0, 255, (*draw.integers(32, 128, 2), 3), np.uint8) for _ in range(draw.integers(1, 3))]
    content = [{"type": "image", "image": image} for image in images]
    messages = [
        {"role": "user", "content": [*content, {"type": "text", "text": " ".join(words[: draw.integers(1, 13)])}]}
    ]
    inputs = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    answer = processor.tokenizer(f"{says}<|im_end|>", return_tensors="pt").input_ids
    asked = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "mm_token_type_ids" in inputs:
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(answer)], 1)
    labels = inputs["input_ids"].clone()
    labels[:, :asked] = -100
    return inputs, labels
