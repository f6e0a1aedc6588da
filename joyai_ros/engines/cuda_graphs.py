"""A network's call as one CUDA graph: a single launch instead of one for each of its kernels.

It was never run: no machine of this project had a GPU. What surrounds the graph was, on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Prepare: TypeAlias = Callable[[Mapping[str, Tensor]], Callable[[], Tensor]]
_MOST = 2  # sizes: a drawing has rows with and without guidance


@dataclass(frozen=True)
class _Captured:
    """A graph, and the memory that it reads and writes."""

    inputs: Mapping[str, Tensor]
    replay: Callable[[], None]
    result: Tensor


class Replayed:
    """A call that is captured once for each set of sizes, and replayed from then on; the last two sets are kept."""

    def __init__(self, prepare: Prepare) -> None:
        """Take what makes a call of its inputs: the call reads them anew each time, always in the same place."""
        self._prepare = prepare
        self._kept: dict[tuple[torch.Size, ...], _Captured] = {}

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the result for these inputs, which are on the GPU and always come in the same order."""
        sizes = tuple(value.shape for value in inputs.values())
        found = self._kept.pop(sizes, None)
        if found is None:
            while len(self._kept) >= _MOST:
                self._kept.pop(next(iter(self._kept)))
            held = {name: value.clone() for name, value in inputs.items()}
            found = _Captured(held, *capture(self._prepare(held)))
        self._kept[sizes] = found
        for name, value in inputs.items():
            found.inputs[name].copy_(value)
        found.replay()
        return found.result.clone()


def capture(run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Return what replays a call, and where its result then is."""
    streams: Any = torch.cuda.Stream
    before = streams()
    before.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(before):
        run()  # kernels are chosen, and compiled, outside a graph
    torch.cuda.current_stream().wait_stream(before)
    graph: Any = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()
    return graph.replay, result
