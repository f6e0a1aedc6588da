"""How long a step of the MMDiT takes by PyTorch and by an engine, on the same inputs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from joyai_ros.imagination.engine_files import Run, Source
from joyai_ros.imagination.memory import ROWS, text_tokens
from joyai_ros.imagination.mmdit.loading import load_transformer
from joyai_ros.imagination.mmdit.token_network import TokenNetwork, example_inputs

_PATCH = 16  # pixels of an image token


@dataclass(frozen=True)
class StepTimes:
    """Median seconds of a step with guidance (two rows), with one reference.

    Attributes:
        size: pixels along the side of the view.
        torch: by PyTorch as it comes, on the CPU in 32 bits.
        engine: by the engine.
    """

    size: int
    torch: float
    engine: float


def step_times(source: Source, run: Run, sizes: Sequence[int], repeat: int, threads: int) -> list[StepTimes]:
    """Return how long steps take, after one that is not counted.

    Args:
        source: of the engine.
        run: the engine.
        sizes: of views, pixels.
        repeat: counted steps.
        threads: of the CPU for PyTorch.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        network = TokenNetwork(load_transformer(source.found, torch.device("cpu"), torch.float32)).eval()
        found = []
        for size in sizes:
            side = size // _PATCH
            inputs = example_inputs(network.transformer.config, ROWS, (side, side), text_tokens(size))
            with torch.no_grad():
                plain = _median(lambda values: network(**values), inputs, repeat)
            found.append(StepTimes(size, plain, _median(run, inputs, repeat)))
        return found
    finally:
        torch.set_num_threads(before)


def _median(run: Callable[[Mapping[str, Tensor]], Tensor], inputs: Mapping[str, Tensor], repeat: int) -> float:
    times = []
    for _ in range(1 + repeat):
        before = time.perf_counter()
        run(inputs)
        times.append(time.perf_counter() - before)
    return statistics.median(times[1:])
