"""A tokenizer and an image processor for small models from scratch, in Qwen3-VL's form.

What they write is read by the same code as the real model's. The tokenizer is trained on given texts and on the system text of
the pipeline that draws, of which exactly 34 tokens are dropped there: so every model made here can be its text encoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from joyai_ros.errors import ConfigError
from joyai_ros.imagination.mmdit.conditioning import DROPPED_TOKENS, SYSTEM
from joyai_ros.models.qwen_processor import read_processor

SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
# What Qwen3-VL's template writes for a system text and one user turn with images and text.
CHAT_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for part in message.content %}
            {%- if part.type == 'image' %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif 'text' in part %}
                {{- part.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
# Qwen's rule for what a word is.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def system_words() -> str:
    """Return the words of the drawing pipeline's template; between its backslash and its n, Qwen's tokenizer keeps apart what
    would be one word here.
    """
    words = SYSTEM.replace("<|im_start|>", "").replace("<|im_end|>", "").replace("\\nDescribe", "\\ \nDescribe")
    return words + "user\nassistant\n"


def scratch_processor(
    texts: Sequence[str],
    vocabulary: int,
    patch: int = 16,
    most_pixels: int = 16_777_216,
    least_pixels: int = 4096,
    phrases: Sequence[str] = (),
) -> Any:
    """Return a new ``Qwen3VLProcessor``.

    Args:
        texts: that the tokenizer's words come from.
        vocabulary: tokens at most, with the special ones.
        patch: side of a patch, pixels.
        most_pixels, least_pixels: between which images are scaled.
        phrases: texts that are one token each, beside the vocabulary.

    Raises:
        ConfigError: the vocabulary is too small for the template's words.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_tokenizer(folder, texts, vocabulary, phrases)
        write_image_processor(folder, patch, most_pixels, least_pixels)
        processor = read_processor(folder)
    found = len(processor.tokenizer(SYSTEM + "<|im_start|>").input_ids)
    if found != DROPPED_TOKENS:
        raise ConfigError(
            f"with a vocabulary of {vocabulary} the drawing pipeline's system text has {found} tokens, and {DROPPED_TOKENS} "
            "are dropped there; choose a larger vocabulary"
        )
    return processor


def write_tokenizer(folder: Path, texts: Sequence[str], vocabulary: int, phrases: Sequence[str] = ()) -> dict[str, int]:
    """Train and write a tokenizer with its chat template; return the ids of the special tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_WORDS), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # As often as needed to be whole words, whatever the texts are about.
    template = [system_words()] * max(500, len(texts))
    tokenizer.train_from_iterator([*template, *texts], trainer)
    tokenizer.add_tokens([AddedToken(phrase, normalized=False, special=False) for phrase in phrases])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "model_max_length": 32768,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "bos_token": None,
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
        },
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return {token: int(tokenizer.token_to_id(token) or 0) for token in SPECIAL_TOKENS}


def write_image_processor(folder: Path, patch: int, most_pixels: int = 16_777_216, least_pixels: int = 4096) -> None:
    """Write the settings of an image processor, as Qwen3-VL has it."""
    _write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "Qwen2VLImageProcessorFast",
            "processor_class": "Qwen3VLProcessor",
            "size": {"shortest_edge": least_pixels, "longest_edge": most_pixels},
            "patch_size": patch,
            "temporal_patch_size": 2,
            "merge_size": 2,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        },
    )


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
