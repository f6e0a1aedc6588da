"""Writing with a model's network token by token, several texts side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from joyai_ros.understanding.network import Network, Prefix


class Pen:
    """What is written so far, side by side.

    Args:
        network: that reads it.
        prefixes: what each row begins with; of one length.
        room: tokens that a row has for more.
    """

    def __init__(self, network: Network, prefixes: Sequence[Prefix], room: int) -> None:
        self._network, self._position, self._rows = network, prefixes[0].position, len(prefixes)
        self._cache = network.branch(prefixes, room)

    def put(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Write as many tokens in each row; return the (rows, vocabulary) logits of the next ones."""
        ids = torch.tensor(tokens, device=self._network.device)
        positions = (self._position + torch.arange(ids.shape[1], device=ids.device)).expand_as(ids)
        self._position += ids.shape[1]
        return self._network.extend(self._cache, ids, positions, None)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows."""
        if rows and len(rows) < self._rows:
            self._cache.batch_select_indices(torch.tensor(rows, device=self._network.device))
            self._rows = len(rows)
