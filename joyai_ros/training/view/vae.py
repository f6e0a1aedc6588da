"""Training of the small Wan-style VAE on single images.

The Wan VAE is one of videos: its convolutions also look at earlier frames, of which a single image has none. Training leaves
that part out, which computes the same in a third of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders import autoencoder_kl_wan
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from joyai_ros.training.view.config import ViewTraining

_WAN: Any = autoencoder_kl_wan
_MEASURED = 512  # images that the linear code, and the latents' mean and spread come from
_PROBED = 16  # images on which it is tried what a latent's channel does
_SMALL, _LARGE = 0.1, 3.0  # what values are multiplied by, and the constant beside them
_LOG_VARIANCE = -6.0  # of latents at the beginning


class VaeLearner:
    """Learns to give images back; see :class:`joyai_ros.training.loop.Learner`."""

    def __init__(self, vae: Any, config: ViewTraining, images: NDArray[np.uint8]) -> None:
        """Take the VAE, and the (N, height, width, 3) images."""
        self._config, self._images = config, images
        self.module: nn.Module = _Coder(vae)

    def groups(self) -> list[dict[str, Any]]:
        """Return all parameters."""
        return [{"params": list(self.module.parameters())}]

    def batch(self, step: int, part: int) -> Tensor:
        """Return (batch, 3, height, width) images between -1 and 1, some of them mirrored."""
        config = self._config
        random = np.random.default_rng([config.seed, 2, step, part])
        chosen = self._images[np.sort(random.integers(len(self._images), size=config.vae.batch))]
        turned = (random.random(len(chosen)) < 0.5 * config.mirror)[:, None, None, None]
        return to_pixels(np.where(turned, chosen[:, :, ::-1], chosen))

    def loss(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the squared error of pixels and of what differs between neighbours, and the latents' divergence."""
        config = self._config.vae
        pixels = batch.to(next(self.module.parameters()).device)
        back, mean, log_variance = self.module(pixels, generator)
        error = functional.mse_loss(back, pixels)
        across = functional.mse_loss(back.diff(dim=-1), pixels.diff(dim=-1))
        down = functional.mse_loss(back.diff(dim=-2), pixels.diff(dim=-2))
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        loss = error + config.edges * (across + down) + config.kl * divergence
        # Pixels reach from -1 to 1, so that the largest error is 2.
        return loss, {"psnr": float(10.0 * torch.log10(4.0 / error.detach())), "divergence": float(divergence.detach())}


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """Return (N, 3, height, width) float32 between -1 and 1 of (N, height, width, 3) images."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def begin_linear(vae: Any, images: NDArray[np.uint8]) -> None:
    """Have a new VAE begin as the best linear code of some images' cells, from which training then goes on.

    Its blocks begin as nothing. A head's norm divides by the length of all channels, which a large constant one makes nearly
    the same everywhere; and what its activation makes of a value and of its opposite differs by just that value.

    Args:
        vae: of patches alone, with more than twice as many channels as a latent has.
        images: (N, height, width, 3).
    """
    pixels = to_pixels(images[:: max(1, len(images) // _MEASURED)])
    cells = _WAN.patchify(pixels[:, :, None], vae.config.patch_size).transpose(0, 1).flatten(1)
    middle = cells.mean(1)
    spread, axes = torch.linalg.eigh((cells - middle[:, None]) @ (cells - middle[:, None]).T / cells.shape[1])
    count = vae.config.z_dim
    axes, spread = axes[:, -count:].T, spread[-count:].clamp_min(1e-6).sqrt()
    for part in (vae.encoder, vae.decoder):
        for block in part.modules():
            if isinstance(block, _WAN.WanResidualBlock):
                _set(block.conv2, None, None)
            if isinstance(block, _WAN.WanAttentionBlock):
                block.proj.weight.zero_()
                block.proj.bias.zero_()
    into = _SMALL * axes / spread[:, None]
    _widen(vae.encoder, into, -into @ middle)
    means = torch.cat([torch.eye(count), torch.zeros((count, count))])
    _read(vae.encoder, means, torch.cat([torch.zeros(count), torch.full((count,), _LOG_VARIANCE)]))
    _set(vae.quant_conv, torch.eye(2 * count), torch.zeros(2 * count))
    _set(vae.post_quant_conv, torch.eye(count), torch.zeros(count))
    _widen(vae.decoder, _SMALL * torch.eye(count), torch.zeros(count))
    _read(vae.decoder, axes.T * spread, middle)


def _widen(part: Any, into: Tensor, shift: Tensor) -> None:
    """Have a part begin with values, their opposites, a constant, and what it would begin with else."""
    count = len(into)
    layer = part.conv_in
    layer.weight[: 2 * count + 1] = 0.0
    middle = layer.weight.shape[-1] // 2
    layer.weight[: 2 * count, :, -1, middle, middle] = torch.cat([into, -into])
    layer.weight[2 * count + 1 :].mul_(_SMALL)
    layer.bias[: 2 * count] = torch.cat([shift, -shift])
    layer.bias[2 * count] = _LARGE
    layer.bias[2 * count + 1 :].mul_(_SMALL)


def _read(part: Any, out: Tensor, shift: Tensor) -> None:
    """Have a part end with a linear function of its values."""
    channels = part.conv_out.weight.shape[1]
    scaled = out * _LARGE / (_SMALL * channels**0.5)
    weight = torch.zeros((len(out), channels))
    weight[:, : 2 * out.shape[1]] = torch.cat([scaled, -scaled], dim=1)
    _set(part.conv_out, weight, shift)


def _set(layer: Any, weight: Tensor | None, bias: Tensor | None) -> None:
    """Have a convolution look at its own place alone: with these weights, or with none at all."""
    layer.weight.zero_()
    layer.bias.zero_()
    if weight is not None and bias is not None:
        middle = layer.weight.shape[-1] // 2
        layer.weight[:, :, -1, middle, middle] = weight
        layer.bias.copy_(bias)


@torch.no_grad()
def normalise(vae: Any, images: NDArray[np.uint8]) -> None:
    """Write into the VAE's configuration how latents are shifted and scaled, by what they are for some images.

    A channel is scaled by what it does to the pixels, so that an error of latents is one of pixels, and noise takes the fine
    before the coarse. All channels together have a variance of 1.
    """
    some = to_pixels(images[:: max(1, len(images) // _MEASURED)])[:, :, None]
    with OneFrame(vae):
        latents = torch.cat([vae.encode(part).latent_dist.mode() for part in torch.split(some, 16)])
        values = latents.transpose(0, 1).flatten(1)
        spread = values.std(1).clamp_min(1e-3)
        few = latents[:: max(1, len(latents) // _PROBED)]
        steps = torch.diag(0.5 * spread)[:, None, :, None, None, None]
        changes = torch.stack([(vae.decode(few + step[0]).sample - vae.decode(few - step[0]).sample) for step in steps])
    effect = changes.square().flatten(1).mean(1).sqrt().clamp_min(1e-6)
    effect = effect / effect.square().mean().sqrt()
    vae.register_to_config(latents_mean=values.mean(1).tolist(), latents_std=(spread / effect).tolist())


class _Coder(nn.Module):
    """A Wan VAE of single images."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self._patch = int(vae.config.patch_size or 1)

    def forward(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return the images given back, and mean and log variance of their latents."""
        with OneFrame(self.vae):
            coded = self.vae.quant_conv(self.vae.encoder(_WAN.patchify(pixels[:, :, None], self._patch)))
            mean, log_variance = coded.float().chunk(2, dim=1)
            log_variance = log_variance.clamp(-30.0, 20.0)
            noise = torch.randn(mean.shape, generator=generator).to(mean.device)
            drawn = mean + (0.5 * log_variance).exp() * noise
            back = _WAN.unpatchify(self.vae.decoder(self.vae.post_quant_conv(drawn)), self._patch)
        return back[:, :, 0].float(), mean, log_variance


class OneFrame:
    """While this is entered, the VAE's convolutions take one frame and look at no earlier one."""

    def __init__(self, vae: Any) -> None:
        self._layers: list[Any] = [layer for layer in vae.modules() if isinstance(layer, _WAN.WanCausalConv3d)]

    def __enter__(self) -> None:
        for layer in self._layers:
            layer.forward = _flat(layer)

    def __exit__(self, *_: object) -> None:
        for layer in self._layers:
            del layer.forward


def _flat(layer: Any) -> Any:
    """Return the forward pass of a causal convolution over one frame, before which there is nothing."""
    pad = (layer._padding[2], layer._padding[0])

    def forward(x: Tensor, cache_x: Tensor | None = None) -> Tensor:
        del cache_x
        return functional.conv2d(x[:, :, 0], layer.weight[:, :, -1], layer.bias, padding=pad)[:, :, None]

    return forward
