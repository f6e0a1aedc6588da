"""What fits on a device, and how fast it can be at best: memory and time of the 16B MMDiT beside its 8B MLLM.

All of it is arithmetic on sizes, before anything is loaded. The floor is what no implementation can beat at this
precision: each of the two streams (image and text tokens) needs its multiplications or one read of its weights, whichever
takes longer, and attention its multiplications. Activations are an upper estimate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from joyai_ros.errors import ConfigError
from joyai_ros.imagination.memory import (
    BYTES,
    GIGA,
    RESOLUTIONS,
    ROWS,
    Network,
    image_tokens,
    memory_needs,
    text_tokens,
)
from joyai_ros.imagination.mmdit.presets import PRESETS, Preset, find_preset

_RESERVE = 0.08  # of the memory, for the runtime and fragmentation
PRECISIONS = ("bf16", "int8", "fp8", "int4")  # of weights; the better first, by the error of the small pipeline's views
_SYSTEM_GIGABYTES = 6.0  # that the system and ROS keep where memory is shared with the CPU


@dataclass(frozen=True)
class Device:
    """What a planner must know of a device.

    Attributes:
        name: of the device.
        memory: gigabytes (10^9 bytes).
        bandwidth: gigabytes a second.
        bf16: dense tera-operations a second; weights of all precisions are multiplied so.
        shared: the CPU uses the same memory.
        target: compute capability, for engines.
    """

    name: str
    memory: float
    bandwidth: float
    bf16: float
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
        Device("orin-16", 17.2, 102, 19, shared=True, target="sm87"),
        Device("orin-64", 68.7, 205, 42, shared=True, target="sm87"),
        Device("thor", 137.4, 273, 259, shared=True, target="sm101"),
        Device("l4", 24.0, 300, 121, target="sm89"),
        Device("rtx4090", 24.0, 1008, 165, target="sm89"),
        Device("h100", 80.0, 3350, 989, target="sm90"),
        Device("h200", 141.0, 4800, 989, target="sm90"),
    )
}


@dataclass(frozen=True)
class Option:
    """One way to run it.

    Attributes:
        precision: of the weights of blocks and layers.
        resolution: pixels, the base of the bucket.
        weights, activations, language: gigabytes; ``language`` of the MLLM at the same precision.
        placement: ``together`` (both models stay), ``by phase`` (the MLLM leaves while the MMDiT works, and comes back) or
            ``no`` (it does not fit).
        step: seconds of one step with guidance, at the floor: two rows in one call of the network.
        plain_step: the same without guidance: one row.
    """

    precision: str
    resolution: int
    weights: float
    activations: float
    language: float
    placement: str
    step: float
    plain_step: float

    def view(self, preset: Preset) -> float:
        """Return seconds of a view at the floor, without what a step cache may save."""
        guided = preset.guided_steps(preset.steps)
        return guided * self.step + (preset.steps - guided) * self.plain_step


@dataclass(frozen=True)
class Recommendation:
    """The way to take: an option, and the name of a preset."""

    option: Option
    preset: str


@dataclass(frozen=True)
class Plan:
    """All options on a device, and the one to take.

    Attributes:
        device: the device.
        network: the pipeline's sizes.
        presets: by name, as the pipeline takes them.
        options: every precision at every resolution.
        recommended: the largest view that stays under the time, then with both models in memory, then the preset nearest
            to the model's own, then the best precision; where none stays under it, the quickest. None
            where nothing fits.
        seconds: that a view may take.
    """

    device: Device
    network: Network
    presets: Mapping[str, Preset]
    options: tuple[Option, ...]
    recommended: Recommendation | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        chosen = self.recommended
        return {
            "device": asdict(self.device),
            "network": asdict(self.network),
            "seconds": self.seconds,
            "options": [asdict(option) | {"view": self._views(option)} for option in self.options],
            "recommended": None
            if chosen is None
            else asdict(chosen.option) | {"preset": chosen.preset, "view": self._views(chosen.option)[chosen.preset]},
        }

    def _views(self, option: Option) -> dict[str, float]:
        return {name: option.view(preset) for name, preset in self.presets.items()}


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


def plan(device: Device, seconds: float = 30.0, network: Network = Network()) -> Plan:
    """Return what fits on a device.

    Args:
        device: the device.
        seconds: that a view may take at the floor, for the recommendation.
        network: the sizes.
    """
    options = tuple(_option(device, kind, size, network) for kind in PRECISIONS for size in RESOLUTIONS)
    presets = {name: find_preset(name, network.takes_several) for name in PRESETS}
    return Plan(device, network, presets, options, _recommended(options, presets, seconds), seconds)


def _recommended(options: Sequence[Option], presets: Mapping[str, Preset], seconds: float) -> Recommendation | None:
    fitting = [option for option in options if option.placement != "no"]
    ways = [(option, name) for option in fitting for name in presets]
    quick = [(option, name) for option, name in ways if option.view(presets[name]) <= seconds]
    if quick:
        order = list(reversed(list(presets)))
        best = max(
            quick, key=lambda o: (o[0].resolution, o[0].placement == "together", order.index(o[1]), o[0].weights)
        )
        return Recommendation(*best)
    if not ways:
        return None
    return Recommendation(*min(ways, key=lambda way: way[0].view(presets[way[1]])))


def _option(device: Device, precision: str, resolution: int, network: Network) -> Option:
    needs = memory_needs(network, precision, resolution)
    usable = device.memory * (1.0 - _RESERVE) - (_SYSTEM_GIGABYTES if device.shared else 0.0)
    # Memory that the CPU shares has no other place to which the MLLM could go.
    fits_by_phase = needs.least(by_phase=True) <= usable and not device.shared
    placement = "together" if needs.least(by_phase=False) <= usable else "by phase" if fits_by_phase else "no"
    return Option(
        precision,
        resolution,
        needs.weights,
        needs.activations,
        needs.language,
        placement,
        step_floor(device, precision, resolution, network, ROWS),
        step_floor(device, precision, resolution, network),
    )


def step_floor(device: Device, precision: str, resolution: int, network: Network = Network(), rows: int = 1) -> float:
    """Return the seconds that one call of the MMDiT takes at least.

    Weights of fp8, int8 and int4 are widened before they are multiplied: they save reading, not multiplying.

    Args:
        device: the device.
        precision: of the weights: bf16, fp8, int8 or int4.
        resolution: pixels of the view's sides.
        network: the sizes.
        rows: of the call; the weights are read once for all of them.
    """
    speed = device.bf16 * 1e12
    read = network.stream * BYTES[precision] / (device.bandwidth * GIGA)
    n, t = image_tokens(resolution), text_tokens(resolution)
    linear = 2.0 * network.stream * rows / speed
    attention = 4.0 * network.hidden * network.layers * (n + t) ** 2 * rows / speed
    return max(linear * n, read) + max(linear * t, read) + attention
