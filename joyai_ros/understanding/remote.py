"""An MLLM behind any OpenAI-compatible server: vLLM, SGLang, llama.cpp, TensorRT Edge-LLM, ``transformers serve``.

Servers differ in what they take. A field that a server refuses is left out from then on; where it does not hold answers
to a JSON schema, the prompt asks for JSON instead and the answer is checked here, with one more try.

Token probabilities are the server's own: over the whole vocabulary, mostly, and not only over the tokens that the
format allowed, so a confidence made of them is rather too low than too high.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import openai

from joyai_ros.errors import ConfigError
from joyai_ros.understanding import remote_errors, remote_wire
from joyai_ros.understanding.anchors import with_marks
from joyai_ros.understanding.backend import Finish, IsCanceled, ModelError, ModelReply, ModelRequest, OnText
from joyai_ros.understanding.config import RemoteConfig
from joyai_ros.understanding.formats import AnswerFormatError
from joyai_ros.understanding.remote_wire import Abilities, Body

_POLL = 0.02  # seconds between two looks at whether the caller has lost interest
_FORMAT_TRIES = 2
_NO_KEY = "none"  # the client insists on one, servers without a key do not look at it


@dataclass
class _Progress:
    """How far one question has come."""

    text: str = ""
    finish: str = ""
    tokens: int = 0
    logprobs: list[float] = field(default_factory=list)
    token_texts: list[str] = field(default_factory=list)


class _CanceledError(Exception):
    """The caller has lost interest."""


class RemoteBackend:
    """Asks a server; see :class:`joyai_ros.understanding.backend.Backend`.

    Args:
        config: how it is reached.
        name: the model's card name; empty: the server's name for it.

    Raises:
        ConfigError: the URL is none.
    """

    def __init__(self, config: RemoteConfig, name: str = "") -> None:
        parts = urlsplit(config.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the model server's URL is {config.url!r}; give one like http://127.0.0.1:8000/v1")
        self._config = config
        self._name = name
        self._model = config.model
        self._key = os.environ.get(config.key_variable, "").strip()
        self._abilities = Abilities()
        # Connections outlive a call, and they belong to one event loop.
        self._loop = asyncio.new_event_loop()
        self._client = openai.AsyncOpenAI(
            base_url=config.url,
            api_key=self._key or _NO_KEY,
            timeout=openai.Timeout(config.read_timeout, connect=config.connect_timeout),
            max_retries=0,
        )

    @property
    def name(self) -> str:
        """The model's card name, or the server's name for it."""
        return self._name or self._model

    def answer(
        self,
        requests: Sequence[ModelRequest],
        on_text: OnText | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> list[ModelReply]:
        """Answer some requests, several at a time.

        Once a piece of an answer has come, a failure is an error and not tried again.

        Args:
            requests: any number.
            on_text: called with a request's index and its answer so far, whenever there is more of it.
            is_canceled: asked before each piece and at least 50 times a second, in waits as well.

        Raises:
            ImageError: an image is no (H, W, 3) uint8 array.
            ModelError: the server cannot be reached, refuses, breaks off, or does not keep to the format.
            ModelMemoryError: the server ran out of memory.
        """
        if self._loop.is_closed():
            raise ModelError("this connection to a model server is closed; make a new one")
        try:
            return self._loop.run_until_complete(self._answer_all(with_marks(requests), on_text, is_canceled))
        finally:
            self._settle()

    def close(self) -> None:
        """Close the connections."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._client.close())
            self._loop.close()

    def _settle(self) -> None:
        """End what an interrupt (Ctrl-C) left on its way."""
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _answer_all(
        self, requests: Sequence[ModelRequest], on_text: OnText | None, is_canceled: IsCanceled | None
    ) -> list[ModelReply]:
        progress = [_Progress() for _ in requests]
        slots = asyncio.Semaphore(self._config.parallel)
        encoded: dict[int, str] = {}

        async def work(index: int) -> ModelReply:
            async with slots:
                urls = [self._url(image, encoded) for image in requests[index].images]
                question = _Question(index, requests[index], urls, progress[index], on_text, is_canceled)
                return await self._answer_in_time(question)

        tasks = [self._loop.create_task(work(index)) for index in range(len(requests))]
        try:
            await _wait(tasks, is_canceled)
        finally:
            for task in tasks:
                task.cancel()  # closes its stream, so that the server stops
            await asyncio.gather(*tasks, return_exceptions=True)
        return [_reply_of(task, so_far) for task, so_far in zip(tasks, progress, strict=True)]

    def _url(self, image: Any, encoded: dict[int, str]) -> str:
        """Return an image's data URL, made once for all questions of a call that share it."""
        if id(image) not in encoded:
            config = self._config
            encoded[id(image)] = remote_wire.image_url(image, config.picture, config.jpeg_quality, config.longest_side)
        return encoded[id(image)]

    async def _answer_in_time(self, question: _Question) -> ModelReply:
        try:
            return await asyncio.wait_for(self._answer_one(question), self._config.answer_timeout)
        except asyncio.TimeoutError:
            raise ModelError(
                f"the model server at {self._config.url} did not finish its answer in {self._config.answer_timeout:g} s; "
                "look whether it is overloaded, or raise answer_timeout"
            ) from None

    async def _answer_one(self, question: _Question) -> ModelReply:
        """Ask until an answer is in its format."""
        complaint = ""
        for _ in range(_FORMAT_TRIES):
            await self._ask(question, complaint)
            so_far, wanted = question.so_far, question.request.format
            if so_far.finish == "length":
                return _reply(so_far, so_far.text, Finish.LENGTH)
            try:
                return _reply(so_far, remote_wire.valid_text(wanted, so_far.text), Finish.STOP)
            except AnswerFormatError as error:
                complaint = str(error)
                self._abilities = replace(self._abilities, holds=False)
        raise ModelError(
            f"the model {self._model!r} at {self._config.url} does not keep to the answer's format: {complaint}; "
            "use a server that holds answers to a JSON schema, or another model"
        )

    async def _ask(self, question: _Question, complaint: str) -> None:
        """Get one whole answer into the question's progress, asking again where that may help."""
        config, tries, abilities = self._config, 0, self._abilities
        while True:
            tries += 1
            try:
                model = await self._model_name()
                await self._stream(
                    question, remote_wire.body(question.request, model, question.urls, abilities, complaint)
                )
                break
            except remote_errors.FAILURES as error:
                streamed, fewer = len(question.so_far.text), abilities.without(remote_errors.words_of(error))
                if remote_errors.is_refusal(error) and fewer != abilities:
                    abilities, tries = fewer, tries - 1  # another question, not the same again
                    continue
                if streamed or tries > config.retries or not remote_errors.is_temporary(error):
                    place = remote_errors.Place(config.url, self._model, config.key_variable, self._key)
                    raise remote_errors.explain(error, place, streamed, tries) from error
                delay = remote_errors.wanted_delay(error)
            if delay is None:
                delay = config.first_delay * 2.0 ** (tries - 1)
            await asyncio.sleep(min(delay, config.longest_delay))
        if abilities != self._abilities:  # leaving them out is what helped
            self._abilities = abilities

    async def _stream(self, question: _Question, body: Body) -> None:
        so_far = question.restart()
        stream: Any = await self._client.chat.completions.create(**body)
        try:
            async for chunk in _chunks(stream):
                _take(so_far, chunk)
                question.tell()
        finally:
            await stream.close()
        if not so_far.finish:
            raise remote_errors.BrokenStreamError("the stream ended before the answer did")

    async def _model_name(self) -> str:
        """Return the server's name for the model, asking for it where no setting says it."""
        if not self._model:
            names = [model.id async for model in self._client.models.list()]
            if len(names) != 1:
                raise ModelError(
                    f"the model server at {self._config.url} has {len(names)} models ({', '.join(names[:8])}); "
                    "say which one by the setting model"
                )
            self._model = names[0]
        return self._model


@dataclass
class _Question:
    """A request on its way."""

    index: int
    request: ModelRequest
    urls: list[str]
    so_far: _Progress
    on_text: OnText | None
    is_canceled: IsCanceled | None

    def restart(self) -> _Progress:
        """Forget what came before, in place: whoever cancels reads it."""
        self.so_far.__dict__.update(_Progress().__dict__)
        return self.so_far

    def tell(self) -> None:
        """Show the caller what there is."""
        if self.is_canceled is not None and self.is_canceled():
            raise _CanceledError
        if self.on_text is not None and self.so_far.text:
            self.on_text(self.index, self.so_far.text)


async def _wait(tasks: list[asyncio.Task[ModelReply]], is_canceled: IsCanceled | None) -> None:
    """Wait until all have ended, one has failed, or the caller has lost interest.

    Raises:
        Exception: what the first failing one raised.
    """
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, timeout=_POLL, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            error = task.exception()
            if isinstance(error, _CanceledError):
                return
            if error is not None:
                raise error
        if pending and is_canceled is not None and is_canceled():
            return


async def _chunks(stream: Any) -> AsyncIterator[Any]:
    """Yield what a stream brings.

    Raises:
        BrokenStreamError: a piece is no JSON.
    """
    pieces = stream.__aiter__()
    while True:
        try:
            chunk = await pieces.__anext__()
        except StopAsyncIteration:
            return
        except ValueError as error:
            raise remote_errors.BrokenStreamError(f"a piece of the stream is no JSON ({error})") from error
        yield chunk


def _take(so_far: _Progress, chunk: Any) -> None:
    """Add a piece of a stream to what there is; servers leave out what they do not know."""
    if getattr(chunk, "usage", None) is not None:
        so_far.tokens = chunk.usage.completion_tokens or 0
    if not chunk.choices:
        return
    choice = chunk.choices[0]
    so_far.text += getattr(choice.delta, "content", None) or ""
    so_far.finish = choice.finish_reason or so_far.finish
    given = getattr(choice, "logprobs", None)
    for token in getattr(given, "content", None) or ():
        so_far.logprobs.append(min(0.0, float(token.logprob)))
        so_far.token_texts.append(token.token)


def _reply(so_far: _Progress, text: str, finish: Finish) -> ModelReply:
    """Return a reply, with probabilities only where they are those of its text."""
    texts = tuple(so_far.token_texts)
    if not texts or "".join(texts).strip() != text.strip():
        return ModelReply(text, finish, so_far.tokens)
    return ModelReply(text, finish, so_far.tokens or len(texts), tuple(so_far.logprobs), texts)


def _reply_of(task: asyncio.Task[ModelReply], so_far: _Progress) -> ModelReply:
    if task.cancelled() or task.exception() is not None:
        return _reply(so_far, so_far.text, Finish.CANCELED)
    return task.result()
