"""Diffusers' own JoyImage pipelines, to hold ours against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from joyai_ros.imagination.mmdit.loading import Pipeline


def stock_pipeline(parts: Pipeline, size: tuple[int, int]) -> Any:
    """Return diffusers' pipeline of some parts, which draws images of one size.

    Args:
        parts: that no sampler was given yet: it changes the attention of their transformer.
        size: height and width, pixels.
    """
    from diffusers import JoyImageEditPipeline, JoyImageEditPlusPipeline
    from diffusers.pipelines.joyimage import image_processor

    kind: Any = JoyImageEditPlusPipeline if parts.takes_several else JoyImageEditPipeline
    pipeline = kind(
        scheduler=parts.scheduler,
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.processor.tokenizer,
        transformer=parts.transformer,
        processor=parts.processor,
    )
    # Diffusers ships buckets of about 1024 x 1024 alone.
    shapes = image_processor.BUCKETS.setdefault(max(size), [])
    if size not in shapes:
        shapes.append(size)
    images = image_processor.JoyImageEditImageProcessor(vae_scale_factor=8, basesize=max(size))
    setattr(pipeline, "image_processor" if parts.takes_several else "vae_image_processor", images)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@contextmanager
def most_likely_latents() -> Iterator[None]:
    """Encode references as their most likely latent: what stock draws at random there follows no seed."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    def mode(self: Any, generator: Any = None) -> Any:
        return self.mode()

    with patch.object(DiagonalGaussianDistribution, "sample", mode):
        yield
