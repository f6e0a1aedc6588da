"""The denoising loop against diffusers' own pipelines, on the same noise."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch
from PIL import Image

from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.stock import most_likely_latents, stock_pipeline
from tests.imagination.pictures import blocks

CAMERA = "Move the camera.\n- Camera rotation: Yaw 30°, Pitch -15°.\n- Camera zoom: in."
STEPS = 5


@pytest.fixture(scope="module")
def stock_parts(edit_folder):
    return load_pipeline(edit_folder)


def latent_of(sampler, requests, size, preset, **how):
    """What the sampler would decode: pixels are too coarse to compare."""
    kept = []
    decode = sampler._latents.decode
    sampler._latents.decode = lambda latents: kept.append(latents) or decode(latents)
    sampler.draw(requests, size, preset, **how)
    return kept[-1].numpy()


def stock_latent(pipeline, **how):
    with most_likely_latents():
        out = pipeline(num_inference_steps=STEPS, output_type="latent", **how).images
    return out.squeeze(2) if out.ndim == 5 else out


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_an_edit_is_what_diffusers_draws(sampler, stock_parts, size, guidance):
    reference, seed = blocks(1, *size), 7
    expected = stock_latent(
        stock_pipeline(stock_parts, size),
        image=Image.fromarray(reference),
        prompt=CAMERA,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(seed),
    ).reshape(1, 16, size[0] // 8, size[1] // 8)
    preset = Preset(steps=STEPS, guidance=guidance)
    ours = latent_of(sampler, [DrawRequest(CAMERA, seed, (reference,))], size, preset)
    assert np.abs(ours - expected.numpy()).max() < 1e-5
    # The comparison can tell: another prompt or another reference gives something else.
    for request in (DrawRequest("Keep it.", seed, (reference,)), DrawRequest(CAMERA, seed, (blocks(2, *size),))):
        assert np.abs(latent_of(sampler, [request], size, preset) - ours).max() > 1e-3


def test_text_alone_is_what_diffusers_draws(sampler, stock_parts):
    expected = stock_latent(
        stock_pipeline(stock_parts, (64, 64)), prompt="A red cup.", generator=torch.Generator().manual_seed(2)
    ).reshape(1, 16, 8, 8)
    ours = latent_of(sampler, [DrawRequest("A red cup.", 2)], (64, 64), Preset(steps=STEPS))
    assert np.abs(ours - expected.numpy()).max() < 1e-5


def test_the_image_is_what_diffusers_decodes(sampler, stock_parts):
    reference = blocks(1)
    with most_likely_latents():
        expected = stock_pipeline(stock_parts, (64, 64))(
            image=Image.fromarray(reference),
            prompt=CAMERA,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(7),
        ).images[0]
    ours = sampler.draw([DrawRequest(CAMERA, 7, (reference,))], (64, 64), Preset(steps=STEPS)).images[0]
    assert np.abs(ours.astype(int) - np.asarray(expected)).max() <= 1  # a shade lies on the edge of rounding
    assert ours.std() > 1


def test_several_references_are_what_diffusers_draws(plus_folder):
    """Two references of other sizes than the image; stock encodes their most likely latent by itself."""
    parts, size = load_pipeline(plus_folder), (64, 64)
    images = [blocks(1, 48, 96), blocks(2, 96, 48)]
    pipeline = stock_pipeline(parts, size)
    from diffusers.pipelines.joyimage import image_processor

    image_processor.BUCKETS[64] = [(64, 64), (48, 96), (96, 48)]
    with most_likely_latents():
        expected = pipeline(
            images=[Image.fromarray(image) for image in images],
            prompt=CAMERA,
            height=64,
            width=64,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(5),
        ).images[0]
    ours = (
        Sampler(load_pipeline(plus_folder))
        .draw([DrawRequest(CAMERA, 5, tuple(images))], size, Preset(steps=STEPS))
        .images[0]
    )
    assert np.abs(ours.astype(int) - np.asarray(expected)).max() <= 1
    other = (
        Sampler(load_pipeline(plus_folder))
        .draw([DrawRequest(CAMERA, 5, (images[0], blocks(3, 96, 48)))], size, Preset(steps=STEPS))
        .images[0]
    )
    assert np.abs(ours.astype(int) - other).max() > 1


def test_given_noise_is_used(sampler):
    """The same noise, given instead of seeded, gives the same image; other noise another one."""
    request = DrawRequest(CAMERA, 7, (blocks(1),))
    seeded = sampler.draw([request], (64, 64), Preset(steps=2)).images[0]
    noise = torch.randn((1, 16, 8, 8), generator=torch.Generator().manual_seed(7))
    given = sampler.draw([replace(request, seed=99)], (64, 64), Preset(steps=2), noise=noise).images[0]
    other = sampler.draw([replace(request, seed=99)], (64, 64), Preset(steps=2)).images[0]
    np.testing.assert_array_equal(given, seeded)
    assert np.abs(other.astype(int) - seeded).max() > 1
