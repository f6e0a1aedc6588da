"""The noise levels of a drawing, and the step between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from joyai_ros.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """Noise levels of the steps of one drawing.

    Attributes:
        levels: (steps + 1,) float32 share of noise before each step, and 0 at the end.
        timesteps: (steps,) float32, as the network takes them.
    """

    levels: Tensor
    timesteps: Tensor

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.timesteps)


def make_schedule(scheduler: Any, steps: int, strength: float = 1.0) -> Schedule:
    """Return the last steps of a schedule.

    Args:
        scheduler: ``FlowMatchEulerDiscreteScheduler``; is not changed.
        steps: of the whole way from noise to an image.
        strength: share of them that is gone: 1 from noise, less from an image that is given.

    Raises:
        ConfigError: the strength is not above 0 and at most 1.
    """
    if not 0.0 < strength <= 1.0:
        raise ConfigError(f"strength is {strength}; it is above 0, and at most 1")
    own = type(scheduler).from_config(scheduler.config)
    own.set_timesteps(steps)
    kept = max(1, round(steps * strength))
    return Schedule(own.sigmas[steps - kept :].float(), own.timesteps[steps - kept :].float())


def guided(prompted: Tensor, unprompted: Tensor, guidance: float, channels: int) -> Tensor:
    """Return the velocity that presses the prompt, as long in each pixel as the prompted one.

    Args:
        prompted: (views, tokens, token size) velocity with the prompt.
        unprompted: the same with the negative prompt.
        guidance: how much the prompt is pressed.
        channels: of the latent, the last part of a token's values.
    """
    pressed = unprompted + guidance * (prompted - unprompted)
    lengths = prompted.reshape(*prompted.shape[:-1], -1, channels).norm(dim=-1, keepdim=True)
    pixels = pressed.reshape(*pressed.shape[:-1], -1, channels)
    return (pixels * (lengths / pixels.norm(dim=-1, keepdim=True).clamp_min(1e-6))).flatten(-2)


def mixed(noise: Tensor, image: Tensor, level: Tensor) -> Tensor:
    """Return an image's tokens with a share of noise."""
    return level * noise + (1.0 - level) * image


def final_guess(tokens: Tensor, velocity: Tensor, level: Tensor) -> Tensor:
    """Return what the tokens become if the velocity stays as it is until the end."""
    return tokens - level * velocity


def noise_of(seed: int, shape: tuple[int, int, int]) -> Tensor:
    """Return a (channels, height, width) float32 noise, drawn on the CPU: the same for every device and batch."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
