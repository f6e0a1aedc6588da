"""How weights are kept; apart from what makes them so, which needs torch."""

from __future__ import annotations

import enum


class Weights(enum.Enum):
    """How the weights of a network's layers are kept."""

    FULL = "full"  # in the type in which the model computes
    FP8 = "fp8"  # e4m3
    INT8 = "int8"
    INT4 = "int4"
