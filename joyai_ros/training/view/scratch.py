"""A small JoyImageEdit pipeline from scratch, in the real architectures, for training on small machines.

The VAE works on patches of 8 x 8 pixels, which are a latent's cell, as in the real one; so its decoder knows where in a cell a
pixel is, and need not learn it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.requests import MoveCamera
from joyai_ros.training.mllm.scratch import scratch_model
from joyai_ros.training.view.config import ScratchSizes

_VAE_PATCH = 8


@dataclass
class Parts:
    """The parts of a pipeline in training, float32.

    Attributes:
        transformer, vae, text_encoder: the networks.
        processor: of the MLLM, with its tokenizer.
        scheduler: gives the noise levels.
    """

    transformer: Any
    vae: Any
    text_encoder: Any
    processor: Any
    scheduler: Any


def scratch_parts(sizes: ScratchSizes, seed: int) -> Parts:
    """Return the parts of a new pipeline with random weights.

    Raises:
        ConfigError: the MLLM's sizes do not go together.
    """
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler

    torch.manual_seed(seed)
    text_encoder, processor = scratch_model(sizes.text, _texts(), seed)
    vae: Any = AutoencoderKLWan
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    return Parts(
        text_encoder=text_encoder,
        vae=vae(
            base_dim=sizes.vae_width,
            z_dim=sizes.latent_channels,
            dim_mult=[1],
            num_res_blocks=sizes.vae_blocks,
            temperal_downsample=[],
            latents_mean=[0.0] * sizes.latent_channels,
            latents_std=[1.0] * sizes.latent_channels,
            in_channels=3 * _VAE_PATCH**2,
            out_channels=3 * _VAE_PATCH**2,
            patch_size=_VAE_PATCH,
            scale_factor_spatial=_VAE_PATCH,
        ),
        transformer=_transformer(sizes),
        processor=processor,
        scheduler=scheduler(shift=1.5),
    )


def _transformer(sizes: ScratchSizes) -> Any:
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel

    kind: Any = JoyImageEditTransformer3DModel
    head = sizes.width // sizes.heads
    time = head // 8 * 2  # a quarter for which image it is, the rest for rows and columns
    place = (head - time) // 4 * 2
    network = kind(
        patch_size=[1, 2, 2],
        in_channels=sizes.latent_channels,
        hidden_size=sizes.width,
        num_attention_heads=sizes.heads,
        text_dim=sizes.text.width,
        mlp_width_ratio=sizes.mlp_ratio,
        num_layers=sizes.layers,
        rope_dim_list=[head - 2 * place, place, place],
        theta=100,  # images of few patches: all angles turn within them
    )
    # Each block begins as nearly nothing but open to learning: gates of a tenth, and an output of zero.
    with torch.no_grad():
        for block in network.double_blocks:
            for modulation in (block.img_mod, block.txt_mod):
                modulation.modulate_table[:, (2, 5)] = 0.1
        network.condition_embedder.time_proj.weight.mul_(0.1)
        network.proj_out.weight.zero_()
        network.proj_out.bias.zero_()
    return network


def _texts() -> list[str]:
    """Return what the tokenizer's words come from: camera prompts, and how pictures are described."""
    moves = [
        MoveCamera(CameraMotion(yaw, pitch, zoom)).prompt
        for yaw, pitch, zoom in ((30, -15, 1.2), (-20.5, 10, 0.8), (12.3, 4.5, 1.0))
    ]
    things = "red green blue yellow orange purple white black box mug cup bowl bottle ball can block plate tray table"
    pictures = [f"A picture of a table with a {thing}, a {thing} and nothing on it." for thing in things.split()]
    return moves * 50 + pictures * 20
