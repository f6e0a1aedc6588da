"""What goes over the wire to an OpenAI-compatible server, and how its answers are read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage, check_image
from joyai_ros.understanding import formats
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.config import Picture
from joyai_ros.understanding.formats import AnswerFormat, AnswerFormatError

Body = dict[str, Any]
_PARTS = {  # optional parts of a request: words by which servers name them
    "schema": ("response_format", "schema", "grammar", "guided"),
    "logprobs": ("logprobs",),
    "top_k": ("top_k",),
    "usage": ("stream_options", "include_usage"),
}
_SPARE_TOKENS = 32  # for the fence that models like to put around JSON that only the prompt asks for


@dataclass(frozen=True)
class Abilities:
    """What a server has shown that it takes; it says so only by refusing, or by ignoring.

    Attributes:
        schema: ``response_format`` with a JSON schema.
        holds: answers are held to that schema; False: it takes the field and ignores it, so the prompt asks for JSON.
        logprobs: the probabilities of tokens.
        top_k: this way of sampling, which OpenAI's own protocol lacks.
        usage: counts of tokens at a stream's end.
        limit: the name of the token limit.
    """

    schema: bool = True
    holds: bool = True
    logprobs: bool = True
    top_k: bool = True
    usage: bool = True
    limit: str = "max_tokens"

    def without(self, complaint: str) -> Abilities:
        """Return what is left without the parts that a refusal names; where it names none, without all optional ones.

        Args:
            complaint: the server's words.
        """
        said = complaint.lower()
        if "max_completion_tokens" in said and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        named = [part for part, words in _PARTS.items() if any(word in said for word in words)]
        dropped: dict[str, Any] = dict.fromkeys(named or _PARTS, False)
        return replace(self, **dropped)


def image_url(image: ColorImage, picture: Picture, quality: int, longest_side: int) -> str:
    """Return an image as a data URL.

    Args:
        image: (H, W, 3) uint8 RGB.
        picture: how it is encoded.
        quality: of JPEG, 1 to 100.
        longest_side: pixels; a larger image is scaled down to it, which boxes on the 0-1000 grid do not notice.

    Raises:
        ImageError: it is no such image.
    """
    check_image(image)
    height, width = image.shape[:2]
    if max(height, width) > longest_side:
        scale = longest_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture is Picture.JPEG else []
    done, data = cv2.imencode(f".{picture.value}", image[:, :, ::-1], parameters)
    if not done:
        raise ImageError(f"an image of {width}x{height} pixels cannot be written as {picture.value}")
    return f"data:image/{picture.value};base64,{base64.b64encode(data.tobytes()).decode()}"


def body(request: ModelRequest, model: str, urls: list[str], abilities: Abilities, complaint: str = "") -> Body:
    """Return the body of a chat completion.

    Args:
        request: the question.
        model: the server's name for the model.
        urls: data URLs of the request's images.
        abilities: what the server takes.
        complaint: why the last answer to it was of no use; empty for the first try.
    """
    asks_by_prompt = not (abilities.schema and abilities.holds)
    prompt = _plain(request.prompt)
    if asks_by_prompt:
        prompt += "\n\n" + _in_words(request.format)
    if complaint:
        prompt += f"\nYour last answer could not be used: {_plain(complaint)[:300]}"
    content: list[Body] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages: list[Body] = [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]
    if request.system:
        messages.insert(0, {"role": "system", "content": _plain(request.system)})
    tokens = request.max_tokens or formats.longest(request.format) + _SPARE_TOKENS * asks_by_prompt
    sampling = request.sampling
    result: Body = {"model": model, "messages": messages, "stream": True, abilities.limit: tokens}
    result["temperature"] = 0.0 if sampling is None else sampling.temperature
    if sampling is not None:
        result.update(top_p=sampling.top_p, seed=sampling.seed)
        if abilities.top_k:
            result["extra_body"] = {"top_k": sampling.top_k}
    if abilities.schema:
        schema = {"name": "answer", "schema": formats.schema_of(request.format), "strict": True}
        result["response_format"] = {"type": "json_schema", "json_schema": schema}
    if abilities.logprobs:
        result["logprobs"] = True
    if abilities.usage:
        result["stream_options"] = {"include_usage": True}
    return result


def valid_text(wanted: AnswerFormat, text: str) -> str:
    """Return an answer in its format: as it came, without what stands around the JSON, or free text put into JSON.

    Raises:
        AnswerFormatError: it is not in the format.
    """
    try:
        formats.parse(wanted, text)
        return text
    except AnswerFormatError as error:
        inner = text[text.find("{") : text.rfind("}") + 1]
        if inner and inner != text:
            try:
                formats.parse(wanted, inner)
                return inner
            except AnswerFormatError:
                pass
        # Prose that was asked for is an answer, in JSON or not; a broken object is neither.
        prose = text.strip()
        if isinstance(wanted, formats.Text) and prose and not prose.startswith(("{", "`", "[")):
            return json.dumps({"text": prose[: wanted.most]}, ensure_ascii=False)
        raise error


def _in_words(wanted: AnswerFormat) -> str:
    schema = json.dumps(formats.schema_of(wanted))
    return f"Answer with one JSON object and nothing else. It must be valid for this JSON schema: {schema}"


def _plain(text: str) -> str:
    """Return text whose control words are none: a chat template would take ``<|im_end|>`` for the end of the message."""
    return text.replace("<|", "< |")


def message_of(error_body: object, fallback: str) -> str:
    """Return the words of a server's error, which each server packs in its own way."""
    content = error_body
    while isinstance(content, Mapping):
        content = next((content[key] for key in ("error", "message", "detail") if content.get(key)), None)
    return " ".join(str(content or fallback).split())[:500]
