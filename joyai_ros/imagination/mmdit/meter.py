"""Counts what a pipeline's networks are asked for, by hooks on the modules themselves: the same for stock and for ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from torch.utils._python_dispatch import TorchDispatchMode

from joyai_ros.imagination.mmdit import sampler, tokens
from joyai_ros.imagination.mmdit.loading import Pipeline

_COPIES = ("aten::_to_copy", "aten::copy_", "aten::clone")


@dataclass
class Counts:
    """What was asked for.

    Attributes:
        calls: of the MMDiT.
        rows: that went through its first block.
        block_rows: rows times blocks that they went through.
        vision, language: forward passes of the MLLM's two halves.
        head: evaluations of the MLLM's head, which no image needs.
        encoded, decoded: images through the VAE.
        positions: times that RoPE was built.
        copied: bytes written by copies and conversions, outside arithmetic.
        moved: of these, bytes that went from one device to another.
    """

    calls: int = 0
    rows: int = 0
    block_rows: int = 0
    vision: int = 0
    language: int = 0
    head: int = 0
    encoded: int = 0
    decoded: int = 0
    positions: int = 0
    copied: int = 0
    moved: int = 0


@dataclass
class _CopyMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.name().partition(".")[0] in _COPIES:
            source = args[1] if func.name().startswith("aten::copy_") else args[0]
            size = out.numel() * out.element_size()
            self.counts.copied += size
            self.counts.moved += size if source.device != out.device else 0
        return out


def metered(parts: Pipeline) -> AbstractContextManager[Counts]:
    """Count what is asked of a pipeline's networks while this is entered."""
    by_rows = [("encoded", parts.vae.encoder), ("decoded", parts.vae.decoder)]
    once = []
    if parts.text_encoder is not None:
        model = parts.text_encoder.model
        once = [("vision", model.visual), ("language", model.language_model), ("head", parts.text_encoder.lm_head)]
    return _metered(parts.transformer, by_rows, once)


def metered_transformer(transformer: Any) -> AbstractContextManager[Counts]:
    """Count what is asked of an MMDiT alone while this is entered."""
    return _metered(transformer, [], [])


@contextmanager
def _metered(transformer: Any, by_rows: list[tuple[str, Any]], once: list[tuple[str, Any]]) -> Iterator[Counts]:
    counts = Counts()
    first = transformer.double_blocks[0]
    by_rows = [*by_rows, ("rows", first), *(("block_rows", block) for block in transformer.double_blocks)]
    once = [*once, ("calls", first)]
    handles = [part.register_forward_pre_hook(_adder(counts, name), with_kwargs=True) for name, part in by_rows]
    handles += [part.register_forward_pre_hook(_one(counts, name), with_kwargs=True) for name, part in once]
    try:
        with _positions_counted(transformer, counts), _CopyMeter(counts):
            yield counts
    finally:
        for handle in handles:
            handle.remove()


def _adder(counts: Counts, name: str) -> Any:
    """Return a hook that adds the rows of a module's first input."""

    def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows = (args[0] if args else kwargs["hidden_states"]).shape[0]
        setattr(counts, name, getattr(counts, name) + rows)

    return hook


def _one(counts: Counts, name: str) -> Any:
    """Return a hook that adds one."""

    def hook(_module: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        setattr(counts, name, getattr(counts, name) + 1)

    return hook


@contextmanager
def _positions_counted(transformer: Any, counts: Counts) -> Iterator[None]:
    stock = (
        "get_rotary_pos_embed" if hasattr(transformer, "get_rotary_pos_embed") else "_get_rotary_pos_embed_for_range"
    )

    def counted(build: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            counts.positions += 1
            return build(*args, **kwargs)

        return run

    with (
        patch.object(transformer, stock, counted(getattr(transformer, stock))),
        patch.object(sampler, "rotary", counted(tokens.rotary)),
    ):
        yield
