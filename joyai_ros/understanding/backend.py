"""What every backend of the MLLM does: images and a prompt go in, text in a given format comes out."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from joyai_ros.errors import InputError, JoyaiError
from joyai_ros.geometry.arrays import ColorImage, check_image
from joyai_ros.understanding.formats import AnswerFormat
from joyai_ros.understanding.listing import Marks

OnText = Callable[[int, str], None]
IsCanceled = Callable[[], bool]


class ModelError(JoyaiError):
    """The model could not answer: not loaded, its server is away, or what it said cannot be used."""


class ModelMemoryError(ModelError):
    """The model ran out of memory on this question; it stays loaded."""


class Finish(enum.Enum):
    """Why a reply ended."""

    STOP = "stop"  # it is complete
    LENGTH = "length"  # the token limit cut it off
    CANCELED = "canceled"


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; JoyAI-Image-Und's own defaults. None in a request means greedy."""

    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 50
    seed: int = 0


@dataclass(frozen=True)
class ModelRequest:
    """One question as the model gets it.

    Attributes:
        images: (H, W, 3) uint8 RGB, in the order in which the prompt speaks of them; sizes may differ. Without marks.
        prompt: the text that follows the images.
        format: what the answer must look like.
        system: the text before everything else; empty for none.
        sampling: None for greedy decoding.
        max_tokens: of the answer; None for as many as its format can need.
        marks: of each image, the boxes that are to be numbered on it, None where there are none; images beyond the last have
            none. A model that lists what it sees is told them, for every other its backend draws them.

    Raises:
        ImageError: one of the images is none.
        InputError: there are marks of more images than are shown.
    """

    images: tuple[ColorImage, ...]
    prompt: str
    format: AnswerFormat
    system: str = ""
    sampling: Sampling | None = None
    max_tokens: int | None = None
    marks: tuple[Marks | None, ...] = ()

    def __post_init__(self) -> None:
        for image in self.images:
            check_image(image)
        if len(self.marks) > len(self.images):
            raise InputError(f"there are marks of {len(self.marks)} images, but {len(self.images)} are shown")


@dataclass(frozen=True)
class ModelReply:
    """What the model said.

    Attributes:
        text: the whole answer; valid for the request's format where ``finish`` is STOP.
        finish: why it ended.
        tokens: of the answer.
        token_logprobs: natural logarithm of the probability of each answer token among those that the format allowed
            there, at temperature 1; None where the backend does not know them.
        token_texts: the text of each of these tokens; empty where ``token_logprobs`` is None.
    """

    text: str
    finish: Finish
    tokens: int = 0
    token_logprobs: tuple[float, ...] | None = None
    token_texts: tuple[str, ...] = ()


class Backend(Protocol):
    """Runs the model. One backend is used from one thread at a time."""

    @property
    def name(self) -> str:
        """The model's card name."""

    def answer(
        self,
        requests: Sequence[ModelRequest],
        on_text: OnText | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> list[ModelReply]:
        """Answer some requests; those that share their images share the work on them.

        Args:
            requests: any number.
            on_text: called with a request's index and its answer so far, whenever there is more of it.
            is_canceled: asked before each token; once true, all unfinished replies end as CANCELED.

        Raises:
            ImageError: an image cannot be used.
            ModelError: the model cannot answer now.
            ModelMemoryError: there is not enough memory for this; a smaller question may work.
        """

    def close(self) -> None:
        """Give back memory and connections; afterwards it answers no more."""
