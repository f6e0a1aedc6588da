"""An engine is held against PyTorch before anything trusts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from joyai_ros.engines.errors import EngineParityError

# Largest relative error, by precision.
TOLERANCES = {"fp32": 1e-4, "fp16": 2e-3, "int8": 2e-2, "int4": 0.15}
# A size that the export had fixed shows only at other ones.
FEWEST_SHAPES = 3

Network = Callable[[Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Parity:
    """How far an engine was from PyTorch on one set of inputs.

    Attributes:
        shapes: of the inputs, by name.
        relative_error: Euclidean norm of the difference over that of PyTorch's result.
    """

    shapes: Mapping[str, tuple[int, ...]]
    relative_error: float


def check_parity(
    reference: Network, engine: Network, samples: Iterable[Mapping[str, Tensor]], tolerance: float
) -> list[Parity]:
    """Return how far the engine was from the reference on each sample.

    Args:
        reference: the network in PyTorch.
        engine: what takes its place.
        samples: inputs of three different shapes or more.
        tolerance: largest relative error; see :data:`TOLERANCES`.

    Raises:
        EngineParityError: a result has another shape, is not finite or is too far off, or the shapes are too few.
    """
    found = []
    for inputs in samples:
        shapes = {name: tuple(value.shape) for name, value in inputs.items()}
        with torch.no_grad():
            expected, got = reference(inputs).double(), engine(inputs).double()
        if got.shape != expected.shape:
            raise EngineParityError(f"the engine gave {tuple(got.shape)} for {tuple(expected.shape)} at {shapes}")
        error = float((got - expected).norm() / expected.norm())
        if not error <= tolerance:  # so that what is not a number fails too
            raise EngineParityError(f"the engine is {error:.1e} off, more than {tolerance:.1e}, at {shapes}")
        found.append(Parity(shapes, error))
    different = len({tuple(sorted(parity.shapes.items())) for parity in found})
    if different < FEWEST_SHAPES:
        raise EngineParityError(f"{different} shapes were compared; {FEWEST_SHAPES} are the fewest that count")
    return found
