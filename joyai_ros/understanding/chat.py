"""From a request to tokens: the chat template around texts that can never become part of it.

The template is rendered around private marks, not around the texts. The pieces between the marks are the template's own
words and are encoded with special tokens; the texts are encoded without, so that ``<|im_end|>`` in a question is ten
ordinary characters and changes neither roles nor images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joyai_ros.understanding.backend import ModelError

_SYSTEM = "\ue000system\ue000"
_QUESTION = "\ue000question\ue000"
_IMAGE = "<|image_pad|>"


@dataclass(frozen=True)
class Chat:
    """The tokens of a request.

    Attributes:
        prefix: system text and images, with one image token per merged patch; equal for all questions about a frame.
        suffix: the question, and the words that start the answer.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


class ChatEncoder:
    """Encodes requests with a processor's tokenizer and chat template."""

    def __init__(self, processor: Any) -> None:
        self._tokenizer = processor.tokenizer
        self._template = processor.chat_template
        # The template is the same for every question of a kind.
        self._rendered = lru_cache(64)(self._render)
        self._words = lru_cache(256)(self._encode_words)
        self.image_token: int = self._tokenizer.convert_tokens_to_ids(_IMAGE)

    def encode(self, system: str, prompt: str, image_tokens: list[int]) -> Chat:
        """Return the tokens of a request.

        Args:
            system: the text before everything else; empty for none.
            prompt: the text after the images.
            image_tokens: of each image, how many tokens it takes.

        Raises:
            ModelError: the template does not write images and texts in the order that is needed.
        """
        rendered = self._rendered(bool(system), len(image_tokens))
        before, mark, after = rendered.partition(_QUESTION)
        if not mark or before.count(_IMAGE) != len(image_tokens) or _IMAGE in after:
            raise ModelError("the model's chat template does not put images before the question; use Qwen3-VL's")
        opening, _, rest = before.partition(_SYSTEM) if system else ("", "", before)
        prefix = [*self._words(opening), *(self._text(system) if system else [])]
        for count, part in zip(image_tokens, rest.split(_IMAGE), strict=False):
            prefix += [*self._words(part), *[self.image_token] * count]
        prefix += self._words(rest.rpartition(_IMAGE)[2])
        return Chat(tuple(prefix), (*self._text(prompt), *self._words(after)))

    def _render(self, has_system: bool, images: int) -> str:
        """Return the template around marks that stand for the texts."""
        messages: list[dict[str, Any]] = [{"role": "system", "content": _SYSTEM}] if has_system else []
        content = [{"type": "image"}] * images + [{"type": "text", "text": _QUESTION}]
        messages.append({"role": "user", "content": content})
        return str(
            self._tokenizer.apply_chat_template(
                messages, chat_template=self._template, tokenize=False, add_generation_prompt=True
            )
        )

    def _encode_words(self, text: str) -> tuple[int, ...]:
        """Encode the template's own words."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def _text(self, text: str) -> list[int]:
        """Encode somebody's text; no special token can come out of it, and half a surrogate pair becomes a "?"."""
        text = text.encode("utf-8", errors="replace").decode("utf-8")
        return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
