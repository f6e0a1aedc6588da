"""The denoising loop by itself: seeds, batches, what is computed once, presets, canceling and memory."""

import gc
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch

from joyai_ros.errors import ConfigError, ImageError, InputError
from joyai_ros.imagination.mmdit.conditioning import QwenConditioner
from joyai_ros.imagination.mmdit.denoiser import TorchDenoiser
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawError, DrawMemoryError
from joyai_ros.imagination.mmdit.loading import PipelineLoading, load_pipeline, without_encoder
from joyai_ros.imagination.mmdit.meter import metered
from joyai_ros.imagination.mmdit.presets import PRESETS, Preset, find_preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from tests.imagination.pictures import blocks

SIZE = (64, 64)
SHORT, LONG = "Keep it.", "Move the camera.\n- Camera rotation: Yaw 30°, Pitch -15°.\n- Camera zoom: in."
REQUESTS = (
    DrawRequest(SHORT, 1, (blocks(1),)),
    DrawRequest(LONG, 2, (blocks(1),)),
    DrawRequest("Move the red box.", 3, (blocks(2),), negative="left and right"),
)


def latents_of(sampler, requests, preset, **how):
    """What the sampler would decode: pixels are too coarse to compare."""
    kept = []
    decode = sampler._latents.decode
    sampler._latents.decode = lambda latents: kept.append(latents) or decode(latents)
    sampler.draw(requests, SIZE, preset, **how)
    sampler._latents.decode = decode
    return kept[-1].numpy()


def test_the_seed_gives_the_image(sampler, edit_pipeline):
    first = sampler.draw(REQUESTS[:1], SIZE, Preset(steps=3)).images[0]
    torch.manual_seed(99)  # what others draw does not matter
    np.testing.assert_array_equal(Sampler(edit_pipeline).draw(REQUESTS[:1], SIZE, Preset(steps=3)).images[0], first)
    other = sampler.draw([replace(REQUESTS[0], seed=2)], SIZE, Preset(steps=3)).images[0]
    assert np.abs(other.astype(int) - first).mean() > 1


@pytest.mark.parametrize("preset", [Preset(steps=3), Preset(steps=10, guided_share=0.5, step_cache=0.2)])
def test_a_view_is_the_same_in_a_batch_as_alone(edit_pipeline, preset):
    alone = np.concatenate([latents_of(Sampler(edit_pipeline), [request], preset) for request in REQUESTS])
    for rows_at_once in (None, 1, 4):
        sampler = Sampler(edit_pipeline, rows_at_once=rows_at_once)
        assert np.abs(latents_of(sampler, REQUESTS, preset) - alone).max() < 1e-5
    if preset.step_cache is not None:
        assert 0 < sampler.draw(REQUESTS, SIZE, preset).reused_rows < preset.rows() * len(REQUESTS)


def test_without_the_mask_a_batch_would_be_wrong(edit_pipeline):
    """What the mask is for: the padding behind a shorter text would be attended to."""
    inner = TorchDenoiser(edit_pipeline.transformer)
    blind = Sampler(edit_pipeline, denoiser=lambda batch: inner(replace(batch, mask=None)))
    right = latents_of(Sampler(edit_pipeline), REQUESTS, Preset(steps=3))
    assert np.abs(latents_of(blind, REQUESTS, Preset(steps=3)) - right).max() > 1e-3


def test_nothing_is_computed_twice(edit_pipeline):
    sampler = Sampler(edit_pipeline)
    with metered(edit_pipeline) as counts:
        sampler.draw([REQUESTS[0], REQUESTS[1]], SIZE, Preset(steps=4))
    assert (counts.calls, counts.rows, counts.positions) == (4, 16, 1)
    assert (counts.vision, counts.language, counts.head) == (1, 3, 0)  # two prompts and the empty one
    assert (counts.encoded, counts.decoded) == (1, 2)
    with metered(edit_pipeline) as counts:
        sampler.draw([REQUESTS[1], replace(REQUESTS[0], prompt="Look up.")], SIZE, Preset(steps=2))
    assert (counts.vision, counts.language, counts.encoded, counts.positions) == (0, 1, 0, 0)


def test_a_frame_is_known_by_its_content(edit_pipeline):
    """Two frames of the same size are two frames."""
    sampler = Sampler(edit_pipeline)
    first = sampler.draw([REQUESTS[0]], SIZE, Preset(steps=2)).images[0]
    other = sampler.draw([replace(REQUESTS[0], references=(blocks(2),))], SIZE, Preset(steps=2)).images[0]
    assert np.abs(other.astype(int) - first).max() > 1


@pytest.mark.parametrize(("name", "rows"), [("exact", 80), ("balanced", 36), ("fast", 15)])
def test_presets_run_as_many_rows_as_they_say(edit_pipeline, name, rows):
    preset = find_preset(name)
    assert preset.rows() == rows
    with metered(edit_pipeline) as counts:
        drawn = Sampler(edit_pipeline).draw(REQUESTS[:1], SIZE, preset)
    assert (counts.calls, counts.rows) == (preset.steps, rows)
    assert (drawn.steps, drawn.rows) == (preset.steps, rows)
    depth = len(edit_pipeline.transformer.double_blocks)
    assert counts.block_rows == rows * depth - drawn.reused_rows * (depth - 1)


def test_fast_is_at_least_four_times_cheaper():
    assert PRESETS["exact"].rows() >= 4 * PRESETS["fast"].rows()
    assert PRESETS["fast"].rows() < PRESETS["balanced"].rows() < PRESETS["exact"].rows()


def test_presets_of_the_model_for_several_references():
    assert find_preset("exact", takes_several=True).steps == 30
    with pytest.raises(ConfigError, match="no preset 'quick'; there are exact, balanced, fast"):
        find_preset("quick")


def test_the_step_cache(edit_pipeline):
    exact = latents_of(Sampler(edit_pipeline), REQUESTS, Preset(steps=20))
    errors, reused = [], []
    for threshold in (1e-9, 0.1, 0.2):
        preset = Preset(steps=20, step_cache=threshold)
        reused.append(Sampler(edit_pipeline).draw(REQUESTS, SIZE, preset).reused_rows)
        errors.append(np.abs(latents_of(Sampler(edit_pipeline), REQUESTS, preset) - exact).max())
    assert reused[0] == 0 and errors[0] < 1e-5
    assert 0 < reused[1] < reused[2] < 120
    assert 0 < errors[1] < errors[2] < np.abs(exact).max()


def test_guidance_in_the_early_steps_alone(edit_pipeline):
    """Guidance everywhere, nowhere and in half of the steps give three images; half is between the two in rows."""
    sampler = Sampler(edit_pipeline)
    shares = (1.0, 0.5, 0.0)
    images = [latents_of(sampler, REQUESTS[:1], Preset(steps=6, guided_share=share)) for share in shares]
    plain = latents_of(sampler, REQUESTS[:1], Preset(steps=6, guidance=1.0))
    np.testing.assert_array_equal(images[2], plain)
    assert np.abs(images[0] - images[1]).max() > 1e-4 and np.abs(images[1] - images[2]).max() > 1e-4
    assert [Preset(steps=6, guided_share=share).rows() for share in shares] == [12, 9, 6]


def test_a_start_saves_steps_and_is_kept(edit_pipeline):
    start = blocks(5)
    request = replace(REQUESTS[0], start=start, strength=0.25)
    sampler = Sampler(edit_pipeline)
    with metered(edit_pipeline) as counts:
        drawn = sampler.draw([request], SIZE, Preset(steps=20))
    assert (drawn.steps, counts.calls) == (5, 5)
    coded = sampler._latents.encode(start).numpy()
    far, near = (
        np.abs(latents_of(sampler, [replace(request, strength=strength)], Preset(steps=20)) - coded).mean()
        for strength in (1.0, 0.05)
    )
    assert near < 0.2 * far
    with pytest.raises(ConfigError, match="strength is 0"):
        sampler.draw([replace(request, strength=0.0)], SIZE, Preset(steps=2))


def test_steps_are_told_with_previews_on_demand(edit_pipeline):
    steps, previews = [], []

    def on_step(step):
        steps.append(step.index)
        if step.index == 3:
            previews.extend(step.preview())

    sampler = Sampler(edit_pipeline)
    with metered(edit_pipeline) as counts:
        drawn = sampler.draw(REQUESTS[:2], SIZE, Preset(steps=4), on_step)
    assert steps == [0, 1, 2, 3]
    assert counts.decoded == 4  # two previews and two images
    assert [image.shape for image in previews] == [(32, 32, 3)] * 2
    assert [image.shape for image in drawn.images] == [(64, 64, 3)] * 2
    # After the last step nothing is left to guess.
    final = torch.from_numpy(latents_of(sampler, REQUESTS[:2], Preset(steps=4)))
    np.testing.assert_allclose(previews, sampler._latents.preview(final), atol=1)


def live_bytes():
    """Bytes of all tensors with data that Python can reach (an exporter's traces keep tensors that have none)."""
    gc.collect()
    tensors = (item for item in gc.get_objects() if type(item) in (torch.Tensor, torch.nn.Parameter))
    tensors = (item for item in tensors if not torch._is_functional_tensor(item) and item.device.type != "meta")
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@pytest.mark.parametrize("done", [0, 3])
def test_canceling_takes_at_most_a_step_and_gives_the_memory_back(edit_pipeline, done):
    sampler, steps = Sampler(edit_pipeline), []
    preset = Preset(steps=30, step_cache=0.1)
    sampler.draw(REQUESTS[:1], SIZE, Preset(steps=1))  # the frame is remembered from here on
    before = live_bytes()
    with metered(edit_pipeline) as counts, pytest.raises(DrawCanceledError, match=f"after {done} of 30 steps"):
        sampler.draw(REQUESTS[:1], SIZE, preset, lambda step: steps.append(step.index), lambda: len(steps) == done)
    assert (counts.calls, counts.decoded) == (done, 0)
    assert live_bytes() == before
    assert sampler.draw(REQUESTS[:1], SIZE, Preset(steps=1)).images[0].shape == (64, 64, 3)


def test_memory_does_not_grow(edit_pipeline):
    sampler = Sampler(edit_pipeline, frames=2)
    sizes = []
    for index in range(200):
        request = DrawRequest(f"Move {index % 20}.", index, (blocks(index, 16, 16),))
        sampler.draw([request], (16, 16), Preset(steps=1, guidance=1.0))
        if index in (99, 199):  # long after what is remembered is full; the length of the prompt is the same
            sizes.append(live_bytes())
    assert sizes[1] == sizes[0]
    sampler.forget()
    assert live_bytes() < sizes[1]


def test_out_of_memory_leaves_the_sampler_usable(edit_pipeline):
    class Greedy:
        def __init__(self):
            self.inner, self.fails = TorchDenoiser(edit_pipeline.transformer), True

        def __call__(self, batch):
            if self.fails:
                torch.empty(1 << 60, dtype=torch.uint8)  # torch's own error
            return self.inner(batch)

    greedy = Greedy()
    sampler = Sampler(edit_pipeline, denoiser=greedy)
    with pytest.raises(DrawMemoryError, match="out of memory while drawing 3 images of 64x64; draw fewer"):
        sampler.draw(REQUESTS, SIZE, Preset(steps=2))
    greedy.fails = False
    again = sampler.draw(REQUESTS, SIZE, Preset(steps=2)).images
    np.testing.assert_array_equal(again, Sampler(edit_pipeline).draw(REQUESTS, SIZE, Preset(steps=2)).images)


def test_the_blocks_compile_in_one_piece(edit_pipeline, edit_folder):
    """Traced whole; what a compiler then makes of it is torch's own business."""
    parts = load_pipeline(edit_folder, PipelineLoading(text_encoder=False))
    conditioner = QwenConditioner(edit_pipeline.text_encoder, edit_pipeline.processor)
    compiled = Sampler(parts, conditioner, TorchDenoiser(parts.transformer, "eager"))
    expected = Sampler(edit_pipeline).draw(REQUESTS, SIZE, Preset(steps=2)).images
    images = compiled.draw(REQUESTS, SIZE, Preset(steps=2)).images
    assert np.abs(np.subtract(images, expected, dtype=int)).max() <= 1


def test_another_conditioner_takes_the_place_of_the_text_encoder(edit_pipeline):
    asked = []

    class Constant:
        def states(self, images, prompts):
            asked.append((len(images), *prompts))
            return [torch.full((5 + len(prompt), 192), float(len(prompt))) for prompt in prompts]

    alone = without_encoder(edit_pipeline)
    with pytest.raises(DrawError, match="without its MLLM"):
        Sampler(alone)
    images = Sampler(alone, Constant()).draw(REQUESTS[:2], SIZE, Preset(steps=2)).images
    assert asked == [(1, SHORT), (1, LONG), (1, "")]
    assert np.abs(images[0].astype(int) - images[1]).max() > 1


def test_noise_of_another_size(sampler):
    with pytest.raises(InputError, match=r"a noise of \(1, 16, 4, 4\) came where \(1, 16, 8, 8\) is needed"):
        sampler.draw(REQUESTS[:1], SIZE, Preset(steps=1), noise=torch.zeros((1, 16, 4, 4)))


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"guidance": 0.5}, {"guidance": float("nan")}, {"guided_share": 1.5}, {"step_cache": -0.1}]
)
def test_presets_that_are_none(wrong):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} of a preset is"):
        Preset(**wrong)


@pytest.mark.parametrize(
    ("requests", "size", "error", "message"),
    [
        ([], SIZE, InputError, "nothing to draw"),
        (REQUESTS[:1], (64, 72), ImageError, "64 rows and 72 columns; both must be multiples of 16"),
        (REQUESTS[:1], (32, 64), ImageError, r"a reference of \(64, 64\) does not fit an image of \(32, 64\)"),
        (
            [DrawRequest("x", 0, (blocks(1), blocks(2)))],
            SIZE,
            InputError,
            "2 references are too many; this model takes 1",
        ),
        ([REQUESTS[0], DrawRequest("x")], SIZE, InputError, "differ in number or size"),
        ([REQUESTS[0], replace(REQUESTS[0], start=blocks(3))], SIZE, InputError, "start alike"),
        ([DrawRequest("x", start=blocks(1, 32, 32))], SIZE, ImageError, "resize it"),
        ([DrawRequest("x", 0, (blocks(1).astype(float),))], SIZE, ImageError, "uint8 RGB"),
        ([DrawRequest("x", -1)], SIZE, InputError, "seed -1 is none"),
        ([DrawRequest("x", 2**63)], SIZE, InputError, "seed 9223372036854775808 is none"),
        ([DrawRequest("a<|image_pad|>b")], SIZE, InputError, r"holds <\|image_pad\|>, which is no word"),
        ([replace(REQUESTS[0], negative="<|im_end|>")], SIZE, InputError, r"holds <\|im_end\|>"),
        ([DrawRequest("word " * 2100)], SIZE, InputError, "tokens is too long"),
    ],
)
def test_requests_that_cannot_be_drawn(sampler, requests, size, error, message):
    with pytest.raises(error, match=message):
        sampler.draw(requests, size, Preset(steps=1))
