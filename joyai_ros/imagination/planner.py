"""What fits on a device, and how fast it can be at best: memory and time of the 16B MMDiT beside its 8B MLLM.

All of it is arithmetic on published sizes, before anything is loaded. The floor is what no implementation can beat at this
precision: each of the two streams (image and text tokens) needs its multiplications or one read of its weights, whichever
takes longer, and attention its multiplications. Activations are an upper estimate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from joyai_ros.errors import ConfigError

_GIGA = 1e9
_PATCH, _TEXT_PATCH = 16, 32  # pixels of an image token of the MMDiT, and of the MLLM
_PROMPT = 40  # text tokens of a camera prompt, about
_IMAGES = 2  # the reference and the view
_BLOCK_WIDTHS = 16  # hidden widths of bfloat16 that a block holds for a token at once: input, qkv, attention, 4x MLP
_DECODER_BYTES = 1800  # for a pixel of the view, while the VAE decodes it: 96 channels, a few copies, float32
_VAE_GIGABYTES = 0.3
_RESERVE = 0.08  # of the memory, for the runtime and fragmentation
_SYSTEM_GIGABYTES = 6.0  # that the system and ROS keep where memory is shared with the CPU


@dataclass(frozen=True)
class Device:
    """What a planner must know of a device.

    Attributes:
        name: of the device.
        memory: gigabytes (10^9 bytes).
        bandwidth: gigabytes a second.
        bf16, fp8, int8: dense tera-operations a second; 0 where there is no such unit.
        shared: the CPU uses the same memory.
        target: compute capability, for engines.
    """

    name: str
    memory: float
    bandwidth: float
    bf16: float
    fp8: float = 0.0
    int8: float = 0.0
    shared: bool = False
    target: str = ""

    def __post_init__(self) -> None:
        for key in ("memory", "bandwidth", "bf16"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"device {self.name}: {key} {value} is not a positive number")


# Vendors' data sheets, dense, without sparsity; boost clocks. None of these figures was measured by this project.
DEVICES = {
    device.name: device
    for device in (
        Device("orin-16", 17.2, 102, 19, int8=38, shared=True, target="sm87"),
        Device("orin-64", 68.7, 205, 42, int8=85, shared=True, target="sm87"),
        Device("thor", 137.4, 273, 259, fp8=517, int8=517, shared=True, target="sm101"),
        Device("l4", 24.0, 300, 121, fp8=242, int8=242, target="sm89"),
        Device("rtx4090", 24.0, 1008, 165, fp8=330, int8=661, target="sm89"),
        Device("h100", 80.0, 3350, 989, fp8=1979, int8=1979, target="sm90"),
        Device("h200", 141.0, 4800, 989, fp8=1979, int8=1979, target="sm90"),
    )
}


@dataclass(frozen=True)
class Network:
    """The sizes of an MMDiT and of the MLLM that conditions it.

    Attributes:
        hidden, layers: of the MMDiT.
        parameters: of all its weights.
        stream: of the weights that one stream's tokens pass in a forward.
        language: of the MLLM.
    """

    hidden: int = 4096
    layers: int = 40
    parameters: float = 16.263675968e9
    stream: float = 8.05e9
    language: float = 8.77e9


BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.53}  # for a weight; int4 with scales for groups of 128
RESOLUTIONS = (256, 512, 768, 1024)


@dataclass(frozen=True)
class Option:
    """One way to run it.

    Attributes:
        precision: of the MMDiT's weights.
        resolution: pixels, the base of the bucket.
        weights, activations, language: gigabytes; ``language`` of the MLLM at the same precision or int8.
        placement: ``together`` (both models stay), ``by phase`` (the MLLM leaves while the MMDiT works, and comes back) or
            ``no`` (it does not fit).
        step: seconds of one forward at the floor.
    """

    precision: str
    resolution: int
    weights: float
    activations: float
    language: float
    placement: str
    step: float

    def view(self, forwards: int) -> float:
        """Return seconds of a view at the floor, by its forwards."""
        return forwards * self.step


@dataclass(frozen=True)
class Plan:
    """All options on a device, and the one to take: the largest view that stays under the time, best precision first."""

    device: Device
    options: tuple[Option, ...]
    recommended: Option | None
    seconds: float
    forwards: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        known = {"device": asdict(self.device), "seconds": self.seconds, "forwards": self.forwards}
        options = [asdict(option) | {"view": option.view(self.forwards)} for option in self.options]
        return known | {
            "options": options,
            "recommended": None if self.recommended is None else asdict(self.recommended),
        }


def device_named(name: str) -> Device:
    """Return a device of the table, or the one that a JSON file describes by the fields of :class:`Device`.

    Raises:
        ConfigError: there is no such device or file, or the file has unknown, missing or impossible values.
    """
    if name in DEVICES:
        return DEVICES[name]
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"no device and no file is called {name!r}; devices are: {', '.join(DEVICES)}")
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(content, Mapping) or set(content) - {item.name for item in fields(Device)}:
        raise ConfigError(f"{path} must hold an object with only: {', '.join(item.name for item in fields(Device))}")
    try:
        return Device(**{"name": path.stem, **content})
    except TypeError as error:
        raise ConfigError(f"{path} lacks a value or has one of the wrong type: {error}") from error


def plan(device: Device, forwards: int, seconds: float = 30.0, network: Network = Network()) -> Plan:
    """Return what fits on a device.

    Args:
        device: the device.
        forwards: of the MMDiT for one view (steps, times two with guidance).
        seconds: that a view may take at the floor, for the recommendation.
        network: the sizes.
    """
    precisions = ["bf16"] + [kind for kind in ("fp8",) if device.fp8] + ["int8", "int4"]
    options = tuple(_option(device, kind, size, network) for kind in precisions for size in RESOLUTIONS)
    fitting = [option for option in options if option.placement != "no"]
    quick = [option for option in fitting if option.view(forwards) <= seconds]
    recommended = max(quick, key=lambda o: (o.placement == "together", o.resolution, o.weights), default=None)
    if recommended is None:
        recommended = min(fitting, key=lambda o: o.step, default=None)
    return Plan(device, options, recommended, seconds, forwards)


def _option(device: Device, precision: str, resolution: int, network: Network) -> Option:
    weights = network.parameters * BYTES[precision] / _GIGA + _VAE_GIGABYTES
    language = network.language * BYTES[precision] / _GIGA
    tokens = _image_tokens(resolution) + _text_tokens(resolution)
    block = tokens * network.hidden * 2 * _BLOCK_WIDTHS / _GIGA
    decoding = resolution**2 * _DECODER_BYTES / _GIGA
    activations = max(block, decoding)
    usable = device.memory * (1.0 - _RESERVE) - (_SYSTEM_GIGABYTES if device.shared else 0.0)
    if weights + language + activations <= usable:
        placement = "together"
    elif max(weights + activations, language) <= usable and not device.shared:
        placement = "by phase"
    else:
        # Memory that the CPU shares has no other place to which the MLLM could go.
        placement = "no"
    step = step_floor(device, precision, resolution, network)
    return Option(precision, resolution, weights, activations, language, placement, step)


def step_floor(device: Device, precision: str, resolution: int, network: Network = Network()) -> float:
    """Return the seconds that one forward of the MMDiT takes at least.

    Weights of int8 and int4 are widened before they are multiplied: they save reading, not multiplying.

    Args:
        device: the device.
        precision: of the weights: bf16, fp8, int8 or int4.
        resolution: pixels of the view's sides.
        network: the sizes.
    """
    speed = (device.fp8 if precision == "fp8" and device.fp8 else device.bf16) * 1e12
    read = network.stream * BYTES[precision] / (device.bandwidth * _GIGA)
    n, t = _image_tokens(resolution), _text_tokens(resolution)
    linear = 24.0 * network.hidden**2 * network.layers
    attention = 4.0 * network.hidden * network.layers * (n + t) ** 2 / speed
    return max(linear * n / speed, read) + max(linear * t / speed, read) + attention


def _image_tokens(resolution: int) -> int:
    return _IMAGES * (resolution // _PATCH) ** 2


def _text_tokens(resolution: int) -> int:
    return (resolution // _TEXT_PATCH) ** 2 + _PROMPT
