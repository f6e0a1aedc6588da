"""Weights of 8 or 4 bits, multiplied in the type of the activations: for the memory, with no library but torch.

Of the language model's layers alone; the vision tower, the embedding and the head stay as they are, because they are a
small share of the memory and a large one of the error.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from joyai_ros.models.precision import Weights

GROUP = 64  # weights of a row that share a 4-bit scale


class Float8Linear(nn.Module):
    """A linear layer with weights in 8-bit floating point (e4m3) and one scale per output."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        values = linear.weight.detach().float()
        largest = torch.finfo(torch.float8_e4m3fn).max
        scale = (values.abs().amax(1).clamp_min(1e-12) / largest).to(linear.weight.dtype)
        # A scale that was rounded down would carry the largest weights past what the type holds.
        kept = (values / scale.float()[:, None]).clamp(-largest, largest)
        self.register_buffer("weight", kept.to(torch.float8_e4m3fn))
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., outputs) for (..., inputs)."""
        y = functional.linear(x, self.weight.to(x.dtype)) * self.scale
        return y if self.bias is None else y + self.bias


class Int8Linear(nn.Module):
    """A linear layer with int8 weights and one scale per output; error of a weight at most half a step of 1/127."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        values = linear.weight.detach().float()
        # Steps are counted with the scale as it is kept, in whatever type that is.
        scale = (values.abs().amax(1).clamp_min(1e-12) / 127.0).to(linear.weight.dtype)
        steps = (values / scale.float()[:, None]).round().clamp(-127, 127)
        self.register_buffer("weight", steps.to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., outputs) for (..., inputs)."""
        y = functional.linear(x, self.weight.to(x.dtype)) * self.scale
        return y if self.bias is None else y + self.bias


class Int4Linear(nn.Module):
    """A linear layer with weights of 4 bits, two in a byte, and one scale per :data:`GROUP` of them."""

    packed: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        values = linear.weight.detach().float()
        self.inputs = values.shape[1]
        grouped = functional.pad(values, (0, -self.inputs % GROUP)).view(len(values), -1, GROUP)
        scale = (grouped.abs().amax(2).clamp_min(1e-12) / 7.0).to(linear.weight.dtype)
        steps = (grouped / scale.float()[..., None]).round().clamp(-8, 7)
        steps = (steps + 8).to(torch.uint8).flatten(1)
        self.register_buffer("packed", steps[:, ::2] | (steps[:, 1::2] << 4))
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., outputs) for (..., inputs)."""
        steps = torch.stack((self.packed & 15, self.packed >> 4), dim=-1).flatten(1).to(x.dtype) - 8.0
        weight = (steps.view(len(steps), -1, GROUP) * self.scale[..., None]).flatten(1)[:, : self.inputs]
        return functional.linear(x, weight, self.bias)


_KINDS = {Weights.FP8: Float8Linear, Weights.INT8: Int8Linear, Weights.INT4: Int4Linear}


def quantize_layers(layers: nn.Module, weights: Weights) -> int:
    """Replace every linear layer below ``layers`` by one with small weights; return how many there were."""
    kind = _KINDS[weights]
    count = 0
    for module in list(layers.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, kind(child))
                count += 1
    return count
