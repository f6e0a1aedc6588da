"""The ``transformers`` backend: Qwen3-VL in this process, from a local folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.models.folder import check_folder
from joyai_ros.understanding.anchors import with_marks
from joyai_ros.understanding.backend import (
    Finish,
    IsCanceled,
    ModelError,
    ModelMemoryError,
    ModelReply,
    ModelRequest,
    OnText,
)
from joyai_ros.understanding.chat import Chat, ChatEncoder
from joyai_ros.understanding.config import LocalSettings
from joyai_ros.understanding.decoding import Decoder, Row
from joyai_ros.understanding.formats import longest
from joyai_ros.understanding.frames import FrameMemory, contents_of
from joyai_ros.understanding.listing import Marks, images_quoted, quoted
from joyai_ros.understanding.listing_writer import ListingWriter
from joyai_ros.understanding.loading import load_shared, stop_tokens
from joyai_ros.understanding.memory import named_memory_errors
from joyai_ros.understanding.network import Features, Network
from joyai_ros.understanding.processor import load_processor, patches_of

_LEAST_ROOM = 64  # tokens: an answer that may be longer is tried, and cut off where it is
_TOO_LARGE = "the model does not fit into the memory; load it with int8 or int4 weights, or take a smaller one"
_TOO_MUCH = "the question took more memory than there is; show fewer or smaller images, or ask a shorter one"


class LocalBackend:
    """Answers with a Qwen3-VL folder on this machine; see :class:`joyai_ros.understanding.backend.Backend`.

    Args:
        name: of the model's card.
        folder: the model's, or one with the authors' layout; nothing is downloaded.
        settings: how it is loaded and run.
        listing: whether the model first lists what it sees, once for each image, and answers from that alone.

    Raises:
        ModelFolderError: the folder is not one of a whole Qwen3-VL model in safetensors.
        ModelError: it cannot be loaded in this way, or here.
        ConfigError: there is no such device.
        ModelMemoryError: it does not fit.
    """

    def __init__(
        self, name: str, folder: Path, settings: LocalSettings = LocalSettings(), *, listing: bool = False
    ) -> None:
        self._name = name
        self._settings = settings
        folder = check_folder(folder, hashes=False).folder
        with named_memory_errors(_TOO_LARGE):
            model = load_shared(folder, settings.loading)
        self._processor = load_processor(folder)
        self._chat = ChatEncoder(self._processor)
        self._network = Network(model, static=settings.loading.static_cache, compiled=settings.loading.compile)
        self._decoder: Decoder | None = Decoder(
            self._network, self._processor.tokenizer, stop_tokens(model, self._processor)
        )
        self._lister = (
            ListingWriter(self._network, self._processor.tokenizer, self._chat, self._look) if listing else None
        )
        self._context = min(settings.context, self._network.context)
        self._memory = FrameMemory(settings.frames, settings.frames * settings.most_images)

    @property
    def name(self) -> str:
        """The model's card name."""
        return self._name

    def answer(
        self,
        requests: Sequence[ModelRequest],
        on_text: OnText | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> list[ModelReply]:
        """Answer some requests; see :meth:`joyai_ros.understanding.backend.Backend.answer`."""
        if self._decoder is None:
            raise ModelError(f"the model {self._name} is closed; load it again")
        replies: dict[int, ModelReply] = {}
        requests = requests if self._lister is not None else with_marks(requests)
        try:
            contents = contents_of([request.images for request in requests])
            with torch.inference_mode(), named_memory_errors(_TOO_MUCH):
                for indices in _groups(requests, contents, self._settings.batch):
                    if is_canceled is not None and is_canceled():
                        break
                    rows = self._answer(self._decoder, requests, indices, contents, on_text, is_canceled)
                    replies |= {row.index: self._decoder.reply(row) for row in rows}
        except ModelMemoryError:
            self.forget()
            raise
        return [replies.get(index) or ModelReply("", Finish.CANCELED) for index in range(len(requests))]

    def listings(self, images: Sequence[ColorImage]) -> list[str]:
        """Return what a model lists by itself of some images, which is what its answers follow from.

        Args:
            images: (H, W, 3) uint8 RGB.

        Raises:
            ModelError: it is closed, or was not trained to list what it sees.
        """
        if self._decoder is None or self._lister is None:
            raise ModelError(
                f"the model {self._name} {'lists nothing' if self._decoder else 'is closed; load it again'}"
            )
        with torch.inference_mode(), named_memory_errors(_TOO_MUCH):
            return self._lister.write(images, [None] * len(images), self._settings.batch)

    def forget(self) -> None:
        """Drop what is remembered about images."""
        self._memory.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Give back the memory; afterwards it answers no more."""
        self._decoder = None
        for name in ("_network", "_processor", "_chat", "_lister"):
            self.__dict__.pop(name, None)
        self.forget()

    def _answer(
        self,
        decoder: Decoder,
        requests: Sequence[ModelRequest],
        indices: Sequence[int],
        contents: Sequence[tuple[bytes, ...]],
        on_text: OnText | None,
        is_canceled: IsCanceled | None,
    ) -> list[Row]:
        """Answer requests that share system text and the sizes of their images, and return their finished rows."""
        for index in indices:
            self._refuse_many(requests[index].images)
        listings = self._listings({index: requests[index] for index in indices}, contents)
        chats, prefixes = [], []
        for index in indices:
            request = requests[index]
            prompt = "".join([*(quoted(each, request.prompt) for each in listings[index]), request.prompt])
            # A model that lists what it sees answers from its listing alone.
            shown = self._features(request.images, contents[index]) if self._lister is None else []
            chat = self._chat.encode(request.system, prompt, [self._network.image_tokens(each.grid) for each in shown])
            prefix = partial(self._network.prefix, chat.prefix, shown)
            prefixes.append(self._memory.prefixes.get((chat.prefix, contents[index] if shown else ()), prefix))
            chats.append(chat)
        if self._lister is not None:
            chats = self._lister.with_evidence(chats, prefixes)
        rows = [
            self._row(decoder, *each) for each in zip(indices, map(requests.__getitem__, indices), chats, strict=True)
        ]
        decoder.run(prefixes, rows, on_text, is_canceled)
        return rows

    def _listings(
        self,
        requests: Mapping[int, ModelRequest],
        contents: Sequence[tuple[bytes, ...]],
    ) -> Mapping[int, Sequence[str]]:
        """Return, by the number of each request, what the model lists of the images that its prompt quotes; nothing for a
        model that does not.
        """
        if self._lister is None:
            return dict.fromkeys(requests, ())
        keys: dict[int, list[tuple[bytes, Marks | None]]] = {}
        images: dict[tuple[bytes, Marks | None], ColorImage] = {}
        for index, request in requests.items():
            every = list(zip_longest(contents[index], request.marks))  # where marks are not given there are none
            places = images_quoted([known for _, known in every], request.prompt)
            keys[index] = [every[place] for place in places]
            images |= {every[place]: request.images[place] for place in places}
        kept = self._memory.listings
        texts = {key: kept.get(key, str) for key in images if key in kept}
        new = [key for key in images if key not in texts]
        listed = self._lister.write([images[key] for key in new], [known for _, known in new], self._settings.batch)
        for key, text in zip(new, listed, strict=True):
            texts[key] = kept.get(key, partial(str, text))
        return {index: [texts[key] for key in found] for index, found in keys.items()}

    def _refuse_many(self, images: Sequence[ColorImage]) -> None:
        if len(images) > self._settings.most_images:
            raise ModelError(
                f"a question shows {len(images)} images; {self._settings.most_images} are the most (setting most_images)"
            )

    def _features(self, images: Sequence[ColorImage], contents: Sequence[bytes]) -> list[Features]:
        found = []
        for image, content in zip(images, contents, strict=True):
            found.append(self._memory.features.get(content, partial(self._feature, image)))
        return found

    def _feature(self, image: ColorImage) -> Features:
        return self._look([image])[0]

    def _look(self, images: Sequence[ColorImage]) -> list[Features]:
        return self._network.features(*patches_of(self._processor, images, self._settings.most_pixels))

    def _row(self, decoder: Decoder, index: int, request: ModelRequest, chat: Chat) -> Row:
        limit = longest(request.format) if request.max_tokens is None else max(request.max_tokens, 1)
        room = self._context - len(chat.prefix) - len(chat.suffix)
        if room < min(limit, _LEAST_ROOM):
            raise ModelError(
                f"a question of {len(chat.suffix)} tokens after {len(chat.prefix)} of system text and images leaves no room "
                f"for an answer within {self._context}; ask a shorter question or show fewer images"
            )
        return decoder.row(index, chat.suffix, request.format, min(limit, room), request.sampling)


def _groups(requests: Sequence[ModelRequest], contents: Sequence[Any], most: int) -> list[list[int]]:
    """Return the indices of requests that share system text and the sizes of their images, cut to size; those about the same
    images follow each other.
    """
    alike: dict[Any, dict[Any, list[int]]] = {}
    for index, request in enumerate(requests):
        sizes = tuple(image.shape for image in request.images)
        alike.setdefault((request.system, sizes), {}).setdefault(contents[index], []).append(index)
    found = [[index for indices in of_images.values() for index in indices] for of_images in alike.values()]
    return [indices[at : at + most] for indices in found for at in range(0, len(indices), most)]
