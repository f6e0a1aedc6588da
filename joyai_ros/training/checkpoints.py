"""Checkpoints of a training run: weights, optimiser and counters, whole or not at all.

A checkpoint is written to ``checkpoint.partial``. The one before it steps aside to ``checkpoint.old`` while the new one takes
its place, so at every moment one of the two is whole.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from joyai_ros.errors import ConfigError, InputError, OutputError
from joyai_ros.training.loop import CHECKPOINT, LoopSettings

_WEIGHTS, _OPTIMISER, _STATE = "model.safetensors", "optimizer.pt", "state.json"
_MAY_DIFFER = ("steps", "save_every", "log_every")
# One form whatever the number of processes: whole tensors on the CPU of the first; frozen weights come from elsewhere.
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
_READ = StateDictOptions(full_state_dict=True, ignore_frozen_params=True, strict=False)  # each process reads its part
_WRAPPER = "module."  # what the wrapper of several processes puts before the names of weights


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        loss: of the last one; None before the first.
        figures: of the last one.
        sums: of losses and figures since the last line of the log.
        counted: steps in them.
        seconds: of all pieces.
    """

    step: int = 0
    loss: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    seconds: float = 0.0


class Checkpoints:
    """The checkpoint of one run."""

    def __init__(self, run: Path, settings: LoopSettings, identity: dict[str, Any]) -> None:
        self._place = run / CHECKPOINT
        self._partial, self._old = (self._place.with_name(CHECKPOINT + end) for end in (".partial", ".old"))
        fixed = {k: v for k, v in dataclasses.asdict(settings).items() if k not in _MAY_DIFFER}
        # As JSON gives it back: tuples are lists there, and enums their values.
        self._identity = json.loads(json.dumps({**identity, "loop": fixed}))

    def save(self, module: torch.nn.Module, optimizers: Sequence[Any], progress: Progress, is_main: bool) -> None:
        """Write a checkpoint. All processes call this, the main one writes.

        Raises:
            OutputError: it cannot be written; the one before it stands.
        """
        weights, state = get_state_dict(module, optimizers, options=_WHOLE)
        if not is_main:
            return
        with self._writing():
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(parents=True)
            save_file(_own(weights), self._partial / _WEIGHTS)
            torch.save(state, self._partial / _OPTIMISER)
            content = {"identity": self._identity, "progress": dataclasses.asdict(progress)}
            (self._partial / _STATE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            _sync(self._partial)
            if self._place.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                os.rename(self._place, self._old)
            os.rename(self._partial, self._place)
            shutil.rmtree(self._old, ignore_errors=True)

    def load(self, module: torch.nn.Module, optimizers: Sequence[Any]) -> Progress:
        """Put the run's checkpoint into module and optimisers and return how far it was; a new run where there is none.

        Raises:
            ConfigError: it is of other settings or other data.
            InputError: it is damaged.
        """
        place = self._place if self._place.exists() or not self._old.exists() else self._old
        if not place.exists():
            return Progress()
        try:
            content = json.loads((place / _STATE).read_text(encoding="utf-8"))
            self._compare(place, content["identity"])
            weights: dict[str, Any] = dict(load_file(place / _WEIGHTS))
            state = torch.load(place / _OPTIMISER, map_location="cpu", weights_only=True)
            progress = Progress(**content["progress"])
            named = ((name.removeprefix(_WRAPPER), weight) for name, weight in module.named_parameters())
            wanted = {name for name, weight in named if weight.requires_grad}
            if wanted - set(weights):
                raise ValueError(f"it lacks the weights {min(wanted - set(weights))}")
            set_state_dict(module, optimizers, model_state_dict=weights, optim_state_dict=state, options=_READ)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"the checkpoint {place} cannot be used ({reason}); remove it to begin anew") from error
        return progress

    def _compare(self, place: Path, found: dict[str, Any]) -> None:
        ours, theirs = _flat(self._identity), _flat(found)
        for key in sorted(set(ours) | set(theirs)):
            if ours.get(key) != theirs.get(key):
                raise ConfigError(
                    f"the checkpoint {place} is of another run: {key} was {theirs.get(key)!r} and is {ours.get(key)!r}; "
                    "go on with the same settings, or choose another folder"
                )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, SafetensorError) as error:  # the last two are torch's and safetensors' full disk
            shutil.rmtree(self._partial, ignore_errors=True)
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            stands = (
                f"the last checkpoint stands in {self._place}" if self._place.exists() else "there is no earlier one"
            )
            raise OutputError(
                f"a checkpoint cannot be written to {self._place.parent} ({reason}); {stands}: make room and run the same "
                "command again, it goes on from there"
            ) from error


def trained_weights(run: Path) -> dict[str, torch.Tensor]:
    """Return the trained weights of a finished run, by name, as its checkpoint has them."""
    return load_file(run / CHECKPOINT / _WEIGHTS)


def _own(weights: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return each tensor once: what is tied to another one has two names."""
    seen: dict[tuple[int, tuple[int, ...]], str] = {}
    kept = {}
    for name, weight in weights.items():
        key = (weight.data_ptr(), tuple(weight.shape))
        if weight.numel() == 0 or seen.setdefault(key, name) == name:
            kept[name] = weight.contiguous()
    return kept


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _sync(folder: Path) -> None:
    """Have the disk hold the files before the rename says that it does."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
