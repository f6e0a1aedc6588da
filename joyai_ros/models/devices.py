"""Where a network runs, and in which type it computes."""

from __future__ import annotations

import torch

from joyai_ros.errors import ConfigError

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(name: str) -> torch.device:
    """Return the device that a name means: with ``auto`` an accelerator where there is one, else the CPU.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"there is no device {name!r} here; use auto, cpu, or cuda with a GPU") from error
    return device


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """Return the type in which a network computes on a device: with ``auto`` bfloat16 on an accelerator, else float32.

    Raises:
        ConfigError: there is no such precision.
    """
    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if precision not in _PRECISIONS:
        raise ConfigError(f"there is no precision {precision!r}; use auto, {', '.join(_PRECISIONS)}")
    return _PRECISIONS[precision]
