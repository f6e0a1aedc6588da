"""The loop that every model here is trained by: steps, accumulation, checkpoints, resume, what is logged.

What is trained is a :class:`Learner`. Its batches and its random numbers follow from (seed, step, part) alone, so a run that
was interrupted anywhere goes on to the same weights. This module imports no torch; the work is done in
:mod:`joyai_ros.training.stepping`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from joyai_ros.errors import JoyaiError
from joyai_ros.settings import setting

if TYPE_CHECKING:
    import torch

METRICS, CHECKPOINT, TENSORBOARD = "metrics.jsonl", "checkpoint", "tensorboard"


class DivergedError(JoyaiError):
    """The loss or its gradient is not a finite number."""


class StoppedError(JoyaiError):
    """Somebody asked a run to stop; what it has done is in its checkpoint."""


class Decay(str, enum.Enum):
    """What the learning rate does after the warm-up."""

    COSINE = "cosine"  # to 0 at the last step
    CONSTANT = "constant"


class Optimizer(str, enum.Enum):
    """What turns gradients into steps."""

    ADAMW = "adamw"
    MUON = "muon"  # for the matrices between layers, and AdamW for the rest


class Precision(str, enum.Enum):
    """In which type the forward passes are computed; weights and optimiser stay as they are."""

    NO = "no"
    BF16 = "bf16"


@dataclass(frozen=True)
class LoopSettings:
    """How a model is trained, whatever it is."""

    steps: int = setting(1000, "steps of the optimiser", 1, 100_000_000)
    accumulation: int = setting(1, "batches whose gradients make one step, over all processes", 1, 100_000)
    learning_rate: float = setting(1e-4, "highest learning rate", 0.0, 10.0)
    warmup: int = setting(0, "steps over which the learning rate rises", 0, 100_000_000)
    decay: Decay = setting(Decay.COSINE, "of the learning rate after that")
    optimizer: Optimizer = setting(
        Optimizer.ADAMW, "adamw; or muon for the matrices between layers, adamw for the rest"
    )
    weight_decay: float = setting(0.0, "of the optimiser, on matrices alone", 0.0, 10.0)
    clip: float = setting(1.0, "longest gradient, norm; 0 for any", 0.0, 1e9)
    precision: Precision = setting(Precision.NO, "of the forward passes")
    seed: int = setting(0, "of everything drawn", 0, 2**31 - 1)
    save_every: int = setting(500, "steps from one checkpoint to the next", 1, 100_000_000)
    log_every: int = setting(10, "steps from one line of the log to the next", 1, 100_000_000)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, the first of which is 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.decay is Decay.CONSTANT:
            return self.learning_rate
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


class Learner(Protocol):
    """What is trained, on what, and how its loss comes about.

    Attributes:
        module: its parameters that want a gradient are trained and kept in checkpoints. The loop moves it to the device, and
            puts accelerate's wrapper in its place while several processes train.
    """

    module: torch.nn.Module

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters: each group with ``params``, and ``scale`` of the learning rate where it is not 1."""

    def batch(self, step: int, part: int) -> Any:
        """Return a batch, always the same for the same numbers.

        Args:
            step: from 0.
            part: from 0 to accumulation - 1.
        """

    def loss(self, batch: Any, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the loss to minimise and, by name, figures to log: always the same names.

        Args:
            batch: as :meth:`batch` returned it; moving it to the device of the module is the learner's.
            generator: on the CPU, seeded by seed, step and part. So is torch's global one.
        """


@dataclass(frozen=True)
class Trained:
    """What a run came to.

    Attributes:
        run: its folder.
        steps: done, over all its pieces.
        loss: of the last step.
        figures: of the last step, by name.
        seconds: that its pieces took together.
        resumed_from: step at which this piece began; 0 for a new run.
    """

    run: Path
    steps: int
    loss: float
    figures: Mapping[str, float]
    seconds: float
    resumed_from: int


def train(
    learner: Learner,
    settings: LoopSettings,
    run: Path,
    progress: Callable[[int, int, float], None] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Trained:
    """Train, from the checkpoint in ``run`` on where there is one.

    ``run`` gets ``metrics.jsonl`` (one line per ``log_every`` steps), ``tensorboard/`` where TensorBoard is installed, and
    ``checkpoint/``, written beside its place and renamed.

    Args:
        learner: what is trained.
        settings: how.
        run: folder; is made.
        progress: called after each step with its number from 1, the number of steps, and its loss.
        identity: plain data that says what is trained on what; a checkpoint of something else is refused.

    Raises:
        ConfigError: the checkpoint is of another run, or the settings do not go together.
        InputError: the checkpoint is damaged.
        DivergedError: the loss is not finite.
        StoppedError: SIGINT or SIGTERM came; the checkpoint is of that moment.
        OutputError: something cannot be written; the last checkpoint stands.
    """
    from joyai_ros.training.stepping import Stepping

    return Stepping(learner, settings, run, dict(identity or {})).train(progress)
