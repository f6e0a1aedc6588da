"""Between latents and tokens: the loop and the engines work on tokens alone.

A token is a patch of a latent: its values ordered as the network's last layer gives them, row by row and pixel by
pixel, channels last. Both a noise and what the network says about it are kept in this order, so that nothing is
rearranged between steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rotary:
    """Positions of image tokens as the network's attention takes them, made once per layout of images.

    Attributes:
        cos, sin: (tokens, head size) float32.
    """

    cos: Tensor
    sin: Tensor


def to_tokens(latent: Tensor, patch: int) -> Tensor:
    """Return the (batch, tokens, patch * patch * channels) of a (batch, channels, height, width) latent."""
    batch, channels, height, width = latent.shape
    split = latent.reshape(batch, channels, height // patch, patch, width // patch, patch)
    return split.permute(0, 2, 4, 3, 5, 1).reshape(batch, (height // patch) * (width // patch), -1)


def to_latent(tokens: Tensor, patch: int, height: int, width: int) -> Tensor:
    """Return the (batch, channels, height, width) latent of its tokens; see :func:`to_tokens`."""
    batch = tokens.shape[0]
    split = tokens.reshape(batch, height // patch, width // patch, patch, patch, -1)
    return split.permute(0, 5, 1, 3, 2, 4).reshape(batch, -1, height, width)


def rotary(grids: Sequence[tuple[int, int]], widths: Sequence[int], theta: float, device: torch.device) -> Rotary:
    """Return the positions of the tokens of some images, one after the other in time.

    Args:
        grids: rows and columns of patches of each image, the one to be drawn first.
        widths: parts of a head's size for time, row and column.
        theta: base of the wavelengths.
        device: where they are used.
    """
    places = torch.cat(
        [
            torch.cartesian_prod(
                torch.tensor([float(index)]), torch.arange(rows, dtype=torch.float32), torch.arange(columns).float()
            )
            for index, (rows, columns) in enumerate(grids)
        ]
    )
    angles = []
    for axis, width in enumerate(widths):
        rates = 1.0 / (theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width))
        angles.append(torch.outer(places[:, axis], rates).repeat_interleave(2, dim=1))
    angle = torch.cat(angles, dim=1)
    return Rotary(angle.cos().to(device), angle.sin().to(device))
