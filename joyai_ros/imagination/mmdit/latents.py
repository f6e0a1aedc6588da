"""Between images and latents: the VAE, with its most likely latent instead of a random one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from joyai_ros.geometry.arrays import ColorImage


class Latents:
    """Encodes and decodes images.

    Attributes:
        channels: of a latent.
        scale: pixels of an image for one of a latent, along a side.
    """

    def __init__(self, vae: Any, device: torch.device) -> None:
        self._vae = vae
        self._dtype: torch.dtype = next(vae.parameters()).dtype
        self.channels = int(vae.config.z_dim)
        self.scale = int(vae.config.scale_factor_spatial)
        self._device = device
        self._mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1).to(self._device)
        self._spread = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1).to(self._device)

    def encode(self, image: ColorImage) -> Tensor:
        """Return the (1, channels, height, width) float32 latent of an (H, W, 3) image."""
        pixels = torch.from_numpy(image.copy()).to(self._device, self._dtype) / 127.5 - 1.0
        coded = self._vae.encode(pixels.permute(2, 0, 1)[None, :, None]).latent_dist.mode()
        return (coded[:, :, 0].float() - self._mean) / self._spread

    def decode(self, latents: Tensor) -> list[ColorImage]:
        """Return the (H, W, 3) uint8 images of (images, channels, height, width) latents.

        One by one: decoding needs more memory for an image than anything else, and gains nothing from a batch.
        """
        return [self._decode_one(latent) for latent in (latents * self._spread + self._mean)[:, None]]

    def preview(self, latents: Tensor) -> list[ColorImage]:
        """Return the images at half their size, for about a quarter of the work."""
        return self.decode(functional.avg_pool2d(latents, 2) if min(latents.shape[-2:]) > 1 else latents)

    def _decode_one(self, latent: Tensor) -> ColorImage:
        pixels = self._vae.decode(latent.to(self._dtype)[:, :, None], return_dict=False)[0][0, :, 0].float()
        shades = (pixels / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        return np.ascontiguousarray(shades.permute(1, 2, 0).cpu().numpy())
