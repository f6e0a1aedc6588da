"""The MLLM as a learner: the loss of the answers in a pack, and what holds it to its teacher."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from joyai_ros.training.mllm.attention import pack_attention
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.lora import with_lora
from joyai_ros.training.mllm.mixture import Mixture
from joyai_ros.training.mllm.packing import Pack, pack

_VISION = ".visual."


class MllmLearner:
    """Trains a Qwen3-VL on packs.

    The loss is the mean over the answers' tokens of a pack, and that over what image tokens show. With a teacher, a divergence
    is added: see :func:`divergence`.

    Attributes:
        module: the model, or peft's wrapper of it.
    """

    module: torch.nn.Module

    def __init__(self, model: Any, mixture: Mixture, config: MllmTraining) -> None:
        """Take a ``Qwen3VLForConditionalGeneration``, which is changed."""
        self._mixture, self._config = mixture, config
        self._model = model
        self._seen: Tensor | None = None  # what the vision encoder gave in the last forward pass
        self._teacher: Any = None
        self._ahead = ThreadPoolExecutor(1, "packs")
        self._coming: tuple[tuple[int, int], Future[Pack]] | None = None
        self._next: tuple[int, int] | None = None
        pack_attention(model)
        if config.keep.weight and not config.lora.rank:
            self._teacher = copy.deepcopy(model).requires_grad_(False).eval()
        model.model.visual.register_forward_hook(self._keep)
        _see_alone(model)
        if config.checkpointing:
            model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        if config.lora.rank:
            self.module = with_lora(model, config.lora)
        else:
            self.module = model
            for name, weight in model.named_parameters():
                weight.requires_grad_(bool(config.vision_rate) or _VISION not in f".{name}")

    def groups(self) -> list[dict[str, Any]]:
        """Return the vision encoder's parameters, which have a rate of their own, and the others."""
        vision: list[Any] = []
        others: list[Any] = []
        for name, weight in self.module.named_parameters():
            (vision if _VISION in f".{name}" else others).append(weight)
        return [{"params": others}, {"params": vision, "scale": self._config.vision_rate}]

    def batch(self, step: int, part: int) -> Pack:
        """Return a pack; where there is one to a step, the next is made while this one is learned from."""
        coming, self._coming = self._coming, None
        found = coming[1].result() if coming is not None and coming[0] == (step, part) else self._packed(step, part)
        has_next = self._config.loop.accumulation == 1 and step + 1 < self._config.loop.steps
        self._next = (step + 1, part) if has_next else None
        return found

    def _packed(self, step: int, part: int) -> Pack:
        return pack(self._mixture.documents(step, part))

    def loss(self, batch: Pack, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a pack; logged are the answers' loss, how full the pack is, and the divergence."""
        del generator  # what dropout draws comes from torch's own
        weight = next(self.module.parameters())
        inputs = batch.inputs(weight.device, weight.dtype)
        keeps = self._config.keep.weight > 0.0 and len(batch.wanted) > 0
        out: Any = None
        if len(batch.wanted):
            out = self.module(**inputs, output_hidden_states=keeps)
            answers = token_loss(out.logits, batch.wanted, batch.weights)
            shown = shown_loss(self._model, self._seen, batch)
        else:  # images alone: the language model would have nothing to say
            images = {name: inputs[name] for name in ("pixel_values", "image_grid_thw")}
            shown = token_loss(self.module(**images, shows=_image_places(self._model, batch))[None], batch.shown)
            answers = torch.zeros((), device=weight.device)
        total = answers + self._config.shown * shown
        figures = {
            "answers": float(answers.detach()),
            "shown": float(shown.detach()),
            "full": batch.tokens.shape[1] / self._config.tokens,
            "samples": float(len(batch.lengths)),
        }
        if self._next is not None:
            # From here to the next pack the interpreter is idle: the backward pass does not need it.
            self._coming = self._next, self._ahead.submit(self._packed, *self._next)
            self._next = None
        if not keeps:
            # Every pack logs the same figures, or processes could not bring theirs together.
            return total, figures | ({"divergence": 0.0} if self._config.keep.weight else {})
        kept = answers * 0.0
        if bool(batch.general.any()):
            kept = divergence(out.hidden_states, self._teaching(inputs), batch.before[batch.general].to(weight.device))
        figures["divergence"] = float(kept.detach())
        return total + self._config.keep.weight * kept, figures

    def _keep(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        self._seen = output.pooler_output

    @torch.no_grad()
    def _teaching(self, inputs: dict[str, Any]) -> Sequence[Tensor]:
        """Return the hidden states of the model as it was before."""
        module: Any = self.module
        was_training = module.training
        teacher = module if self._teacher is None else self._teacher.to(inputs["input_ids"].device)
        without: AbstractContextManager[Any] = module.disable_adapter() if self._teacher is None else nullcontext()
        teacher.eval()
        with without:
            states = teacher(**inputs, output_hidden_states=True).hidden_states
        module.train(was_training)
        return states


def token_loss(logits: Tensor, wanted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross entropy of tokens; 0 where there are none.

    Args:
        logits: (1, T, vocabulary).
        wanted: (T,) long.
        weights: (T,) float, of each in the mean; None for equal ones.
    """
    if not len(wanted):
        return logits.sum() * 0.0
    losses = torch.nn.functional.cross_entropy(logits[0].float(), wanted.to(logits.device), reduction="none")
    if weights is None:
        return losses.mean()
    shares = weights.to(losses)
    return (losses * shares).sum() / shares.sum()


def shown_loss(model: Any, seen: Tensor | None, batch: Pack) -> Tensor:
    """Return the loss of what image tokens show, read from the vision encoder's output as words are from the last layer's.

    So the encoder learns without the language model, which is new to images itself, and shows what it sees in the
    directions of the words for it.

    Args:
        model: ``Qwen3VLForConditionalGeneration``.
        seen: (image tokens, width), the encoder's output for all images of the pack; None without images.
        batch: the pack.
    """
    if seen is None or not len(batch.shown):
        return torch.zeros((), device=model.lm_head.weight.device)
    return token_loss(_said(model, seen[_image_places(model, batch)])[None], batch.shown)


def _see_alone(model: Any) -> None:
    """Have a model that is asked what its image tokens show answer that without its language model.

    It is a way through the model's own ``forward``, and not round it: what wraps a model for several processes brings their
    gradients together only of what went through there.
    """
    whole = model.forward

    @functools.wraps(whole)
    def forward(*arguments: Any, shows: Tensor | None = None, **inputs: Any) -> Any:
        if shows is None:
            return whole(*arguments, **inputs)
        seen = model.model.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
        return _said(model, seen[shows])

    model.forward = forward


def _image_places(model: Any, batch: Pack) -> Tensor:
    """Return, of the tokens that learn to show a word, their places among the image tokens of a pack."""
    is_image = batch.tokens[0] == int(model.config.image_token_id)
    return is_image.cumsum(0)[batch.shows] - 1


def _said(model: Any, states: Tensor) -> Tensor:
    """Return the logits of the words that states show, (states, vocabulary)."""
    logits: Tensor = model.lm_head(model.model.language_model.norm(states))
    return logits


def divergence(student: Sequence[Tensor], teacher: Sequence[Tensor], places: Tensor) -> Tensor:
    """Return the mean over layers and places of the Kullback-Leibler divergence of the student's states from the teacher's.

    A state becomes a distribution over its channels by a softmax. It is brought to unit root mean square first, or the few
    channels that are hundreds of times larger than the others would be all that counts.

    Args:
        student, teacher: of the input and each layer, (1, L, width); the input is left out.
        places: (P,) long.
    """
    found = []
    for ours, theirs in zip(student[1:], teacher[1:], strict=True):
        log_ours, log_theirs = (_distribution(states[0, places]) for states in (ours, theirs))
        found.append((log_theirs.exp() * (log_theirs - log_ours)).sum(-1).mean())
    return torch.stack(found).mean()


def _distribution(states: Tensor) -> Tensor:
    states = states.float()
    return (states * states.square().mean(-1, keepdim=True).add(1e-6).rsqrt()).log_softmax(-1)
