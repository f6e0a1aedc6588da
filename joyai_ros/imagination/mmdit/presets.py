"""How many steps a drawing takes, in which of them the prompt is pressed, and what is reused: presets by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from joyai_ros.errors import ConfigError
from joyai_ros.settings import setting


@dataclass(frozen=True)
class Preset:
    """What a drawing costs and how close it comes to the model's best.

    Guidance is where the network runs with the prompt and with the negative one, and what differs is made larger. It
    decides what the image shows in the early steps; in late ones it costs as much and changes little.
    """

    steps: int = setting(40, "calls of the network for one image", 1, 1000)
    guidance: float = setting(4.0, "how much the prompt is pressed; 1: not at all", 1.0, 30.0)
    guided_share: float = setting(1.0, "share of the steps, from the first one on, that have guidance", 0.0, 1.0)
    step_cache: float | None = setting(None, "relative change of the first block below which the others are reused")

    def __post_init__(self) -> None:
        limits = {"steps": (1, 1000), "guidance": (1.0, 30.0), "guided_share": (0.0, 1.0)}
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name} of a preset is {getattr(self, name)}; it lies within {least:g} and {most:g}")
        if self.step_cache is not None and not 0.0 <= self.step_cache <= 1.0:
            raise ConfigError(f"step_cache of a preset is {self.step_cache}; it lies within 0 and 1, or is not set")

    def guided_steps(self, steps: int) -> int:
        """Return how many of so many steps have guidance; at least one where there is any."""
        if self.guidance == 1.0:
            return 0
        return min(steps, max(1, round(self.guided_share * steps))) if self.guided_share else 0

    def rows(self, steps: int | None = None) -> int:
        """Return how many rows go through the network for one image: two in a step with guidance, one without."""
        steps = self.steps if steps is None else steps
        return steps + self.guided_steps(steps)


# The authors' own settings: 40 steps, for several references 30, guidance in all of them.
PRESETS = {
    "exact": Preset(),
    "balanced": Preset(steps=24, guided_share=0.5, step_cache=0.1),
    "fast": Preset(steps=10, guided_share=0.5),
}
_PLUS_STEPS = 0.75


def find_preset(name: str, takes_several: bool = False) -> Preset:
    """Return the preset of this name.

    Args:
        name: exact, balanced or fast.
        takes_several: whether the model is the one for several references, which takes three quarters of the steps.

    Raises:
        ConfigError: there is none.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    preset = PRESETS[name]
    return replace(preset, steps=round(preset.steps * _PLUS_STEPS)) if takes_several else preset
