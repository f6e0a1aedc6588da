"""The words of a small model that lists what it sees: what it reads and writes most takes few tokens.

The system text, the pieces of the task table's wordings and the marks are one token each, and so is every number of a listing
with its letter. The rows of these numbers begin as waves over their value, and what tells one letter's from another's is added:
so what is learned of 41 holds nearly for 42 too.
"""

from __future__ import annotations

import math
import re
from typing import Any

from joyai_ros.training.data.templates import wordings
from joyai_ros.understanding.formats import Choice
from joyai_ros.understanding.listing import LESS, MORE, MOST_ENTRIES, NUMBERS, UNKNOWN, mark_word
from joyai_ros.understanding.prompts import SYSTEM
from joyai_ros.understanding.tasks import COLORS, TASKS

# First words of the kinds of tabletop-v1.
_KINDS = (
    "box",
    "cylinder",
    "ball",
    "capsule",
    "mug",
    "bowl",
    "tray",
    "plate",
    "book",
    "marker",
    "bottle",
    "cross",
    "l",
)
_ANSWERS = (
    '{"answer": "left"} {"value": 0.12, "unit": "m"} {"count": 3} {"points": [{"point_2d": [1, 2], "label": "red mug"}]}',
    '{"objects": [{"bbox_2d": [1, 2, 3, 4], "label": "red mug"}]} {"text": "a"}',
    '{"yaw_deg": 1.2, "pitch_deg": 1, "roll_deg": 1, "right_m": 1, "up_m": 1, "forward_m": 1}',
)
_OFTEN = 20  # times that words stand in the texts, so that they become tokens
_VALUES = 100  # of each field
_WAVES = 12  # by which the rows of numbers differ
_SPREAD = 0.05  # standard deviation of the first weights of the embedding


def phrases() -> list[str]:
    """Return the texts that are one token each: pieces of prompts."""
    found = {SYSTEM, " Answer with one of:", 'the "', "Is there a", " in the image?", "How many "}
    for name, task in TASKS.items():
        for wording in wordings(name):
            found |= {piece for piece in re.split(r"\{\w+\}", wording) if len(piece.split()) > 1}
        if isinstance(task.answer, Choice):
            found.add(f" Answer with one of: {', '.join(task.answer.options)}.")
    found |= {LESS, MORE} | {word for words in NUMBERS.values() for word in words}
    return sorted(found | {mark_word(number) for number in range(1, MOST_ENTRIES + 1)})


def listing_texts() -> list[str]:
    """Return texts with all other words that such a model is to know as one token."""
    words = [f"1{word};2 {word}." for word in (*COLORS, *_KINDS, UNKNOWN.strip())]
    choices = [task.answer.options for task in TASKS.values() if isinstance(task.answer, Choice)]
    options = [f'"{word}" {word}' for options in choices for word in options]
    names = [f'"{color} {kind}" all {kind}s; {kind}es' for color in COLORS for kind in _KINDS]
    asked = [wording for name in TASKS for wording in wordings(name)]
    return [*words, *options, *names, *asked, *_ANSWERS * 4] * _OFTEN


def set_numbers(model: Any, tokenizer: Any) -> None:
    """Spread a new model's embedding, and begin the rows of a listing's numbers as waves over their value.

    Args:
        model: ``Qwen3VLForConditionalGeneration``; changed.
        tokenizer: with a token for each of these numbers.
    """
    import torch

    with torch.no_grad():
        rows = model.get_input_embeddings().weight
        rows.normal_(std=_SPREAD)
        value = torch.arange(_VALUES) / _VALUES
        phases = torch.stack([math.pi * wave * value for wave in range(1, _WAVES + 1)])
        heights = 1.0 / torch.arange(1, _WAVES + 1).sqrt()[:, None]
        waves = torch.cat([phases.cos() * heights, phases.sin() * heights]).T  # (100, 2 x waves)
        smooth = waves @ torch.randn(2 * _WAVES, rows.shape[1])
        smooth *= _SPREAD / smooth.std()
        for words in dict.fromkeys(NUMBERS.values()):
            tokens = [tokenizer.encode(word, add_special_tokens=False)[0] for word in words]
            rows[tokens] = smooth + torch.randn(rows.shape[1]) * _SPREAD
