"""Training of what draws views: what it learns is what the sampler asks for, and what it leaves is a pipeline."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
import torch

from joyai_ros.cli.main import run
from joyai_ros.errors import ConfigError, InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.latents import Latents
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.opening import open_painter
from joyai_ros.models.angles import Angles
from joyai_ros.models.card import read_card
from joyai_ros.models.pipeline_folder import check_pipeline
from joyai_ros.settings import load
from joyai_ros.training.loop import StoppedError
from joyai_ros.training.view.cache import States
from joyai_ros.training.view.config import Stage, ViewTraining
from joyai_ros.training.view.examples import read_examples
from joyai_ros.training.view.flow import FlowLearner, Material, Shares, attend
from joyai_ros.training.view.scratch import scratch_parts
from joyai_ros.training.view.train import train_view
from joyai_ros.training.view.vae import VaeLearner, begin_linear, normalise, to_pixels
from joyai_ros.training.view.words import numbers_of

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "models" / "recipes"
TINY = """\
name: tiny
size: 64
most_yaw: 60
most_pitch: 30
most_off_deg: 10
most_off_m: 0.3
result: float32
scratch:
  text: {vocabulary: 640, width: 64, mlp: 64, layers: 1, heads: 2, key_heads: 1, head: 32, vision_width: 32, vision_mlp: 32,
         vision_layers: 2, vision_heads: 2, pixels: 1024}
  width: 48
  heads: 2
  layers: 2
  vae_width: 40
words: {batch: 4, loop: {steps: 2, learning_rate: 1e-3}}
vae: {batch: 4, loop: {steps: 2, learning_rate: 1e-3}}
draw: {batch: 4, loop: {steps: 2, learning_rate: 1e-3}}
move: {batch: 4, loop: {steps: 4, learning_rate: 1e-3, decay: constant, save_every: 1}}
"""


@pytest.fixture(scope="session")
def recipe(tmp_path_factory, made_store) -> Path:
    path = tmp_path_factory.mktemp("view") / "tiny.yaml"
    path.write_text(f"data: {made_store}\n{TINY}")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory, recipe) -> Path:
    """A whole run by the command."""
    out = tmp_path_factory.mktemp("trained")
    assert run(["train", "view", str(recipe), "--out", str(out), "--json", str(out / "said.json")]) == 0
    return out


def weights_of(folder):
    pipeline = load_pipeline(folder)
    return {
        f"{part}.{name}": w
        for part in ("transformer", "vae")
        for name, w in getattr(pipeline, part).state_dict().items()
    }


def test_a_run_leaves_a_pipeline_and_its_card(trained, recipe):
    said = json.loads((trained / "said.json").read_text())
    assert {name: each["steps"] for name, each in said["stages"].items()} == {
        "words": 2,
        "vae": 2,
        "draw": 2,
        "move": 4,
    }
    found = check_pipeline(trained / "model")
    networks = ("transformer", "vae", "text_encoder")
    assert sum(found.parameters(part) for part in networks) == said["parameters"]
    card = read_card(trained / "tiny.yaml")
    assert card.draws and card.training["seed"] == 0 and list(card.training["data"].values()) == [said["data_hash"]]
    assert card.training["command"].startswith("joyai-ros train view ")
    lines = [json.loads(line) for line in (trained / "move" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 4 and {"from_noise", "from_surface"} & set(lines[-1])
    # Once it is done, the same command finds that it is.
    config = load(ViewTraining, recipe)
    again = train_view(config, trained, "again")
    assert all(stage.resumed_from == stage.steps for stage in again.stages.values())


def test_stock_diffusers_loads_it_and_draws(trained):
    from diffusers import JoyImageEditPipeline

    from joyai_ros.imagination.mmdit.stock import most_likely_latents, stock_pipeline

    parts = load_pipeline(trained / "model")
    stock = JoyImageEditPipeline.from_pretrained(
        trained / "model", processor=parts.processor, text_encoder=parts.text_encoder, local_files_only=True
    )
    for part in ("transformer", "vae"):
        ours = getattr(parts, part).state_dict()
        assert all(torch.equal(weight, ours[name]) for name, weight in getattr(stock, part).state_dict().items())
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    pipeline = stock_pipeline(parts, (48, 64))
    noise = torch.randn((1, 1, 16, 1, 6, 8), generator=torch.Generator().manual_seed(1))
    with most_likely_latents():
        drawn = pipeline(Image.fromarray(image), "Turn.", 48, 64, 2, latents=noise, output_type="np").images[0]
    fresh = load_pipeline(trained / "model")
    how = Preset(steps=2)
    ours = Sampler(fresh).draw([DrawRequest("Turn.", 0, (image,))], (48, 64), how, noise=noise[:, 0, :, 0]).images[0]
    assert np.abs(np.asarray(drawn[0] if drawn.ndim == 4 else drawn) * 255 - ours).max() < 1.5


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, trained, recipe):
    config = load(ViewTraining, recipe)

    def stop(stage, step, steps, loss):
        if (stage, step) in {(Stage.VAE, 1), (Stage.MOVE, 3)}:
            raise StoppedError("as if somebody had pulled the plug")

    with pytest.raises(StoppedError):
        train_view(config, tmp_path, "a", stop)
    assert not (tmp_path / "model").exists()
    with pytest.raises(StoppedError):  # the stage before is gone on with, the next one is interrupted too
        train_view(
            config, tmp_path, "a", lambda stage, step, *_: stop(stage, step, 0, 0) if stage is Stage.MOVE else None
        )
    done = train_view(config, tmp_path, "a")
    assert done.stages[Stage.MOVE].resumed_from == 2
    whole, again = weights_of(trained / "model"), weights_of(tmp_path / "model")
    assert max(float((whole[name] - again[name]).abs().max()) for name in whole) < 1e-6


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_processes_do_what_one_does(tmp_path, recipe, optimizer):
    """They share the parts of each step; one of them makes the cache, writes the pipeline and reports."""
    pytest.importorskip("accelerate")
    sets = f"move.loop.optimizer={optimizer} move.loop.accumulation=2 vae.loop.accumulation=2 stages=[vae,move]".split()
    words = ["-m", "joyai_ros", "train", "view", str(recipe), *(f"--set={each}" for each in sets), "--out"]
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name, command in (("alone", words), ("both", [*together, *words])):
        done = subprocess.run(
            [sys.executable, *command, str(tmp_path / name)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("steps to loss") == 2  # of both stages, by one of them
    ours, theirs = (weights_of(tmp_path / name / "model") for name in ("both", "alone"))
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert torch.allclose(ours[name], weight, atol=1e-5), name


def test_a_lora_changes_the_blocks_alone(tmp_path, trained, recipe):
    changes = ["stages=[move]", f"base={trained / 'model'}", "move.lora=2", "move.loop.steps=3", "move.guided=0"]
    done = train_view(load(ViewTraining, recipe, changes), tmp_path, "lora")
    before, after = weights_of(trained / "model"), weights_of(done.folder)
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(re.search(r"double_blocks\..*(attn_qkv|attn_proj|img_mlp)", name) for name in changed)


class _Oracle(torch.nn.Module):
    """Knows the picture, and says how to get there from any mixture."""

    def __init__(self, target):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.target = target

    def forward(self, tokens, timestep, *_):
        count = self.target.shape[1]
        velocity = (tokens[:, :count] - self.target) / (timestep[:, None, None] / 1000.0)
        return torch.cat([velocity, torch.zeros_like(tokens[:, count:])], dim=1) + self.weight


def test_what_is_learned_is_what_the_sampler_goes_along(trained):
    pipeline = load_pipeline(trained / "model")
    sampler = Sampler(pipeline)
    draw = np.random.default_rng(3)
    picture, start, reference = draw.integers(0, 255, (3, 48, 64, 3), dtype=np.uint8)
    tokens = [sampler._coded_tokens(image).numpy() for image in (picture, start, reference)]
    frames = np.stack([tokens[0], tokens[2]])[:, None].astype(np.float16)
    text = States(np.zeros((1, 1, 4, 64), np.float16), np.full((1, 1), 4))
    surface = tokens[1][None, None].astype(np.float16)
    material = Material(frames, np.zeros(1, int), np.ones(1, int), text, None, surface, (3, 4))
    learner = FlowLearner(pipeline.transformer, material, Shares(8, 0.0, 0.5, (0.3, 0.8)), 1.5, 0)
    target = torch.from_numpy(frames[0, 0].astype(np.float32))
    learner.module = _Oracle(target[None].expand(8, -1, -1))
    loss, figures = learner.loss(learner.batch(0, 0), torch.Generator().manual_seed(0))
    assert float(loss.detach()) < 1e-6 and set(figures) == {"from_noise", "from_surface"}
    # With such a network, the sampler comes to the picture from noise and from another surface.
    oracle = _Oracle(target[None])
    sampler.denoiser = lambda batch: oracle(batch.tokens, batch.timestep)
    kept = []
    sampler._latents.decode = lambda latents: kept.append(latents) or [picture]
    for begin, strength in ((None, 1.0), (start, 0.5)):
        request = DrawRequest("Turn.", 5, (reference,), None, begin, strength)
        with torch.no_grad():
            sampler.draw([request], (48, 64), Preset(steps=6, guidance=1.0))
        assert float((kept[-1] - sampler._to_latent(target[None], (48, 64))).abs().max()) < 1e-3


def test_a_wrong_velocity_costs(trained):
    pipeline = load_pipeline(trained / "model")
    frames = np.random.default_rng(0).normal(size=(2, 1, 12, 64)).astype(np.float16)
    text = States(np.zeros((1, 1, 4, 64), np.float16), np.full((1, 1), 4))
    material = Material(frames, np.zeros(1, int), np.ones(1, int), text, None, frames[:1], (3, 4))
    learner = FlowLearner(pipeline.transformer, material, Shares(64, 0.0, 0.5, (0.3, 0.8)), 1.5, 0)
    learner.module = _Oracle(torch.zeros((64, 12, 64)))
    loss, _ = learner.loss(learner.batch(0, 0), torch.Generator().manual_seed(0))
    assert float(loss.detach()) > 0.5


def test_attention_in_training_is_pytorch_s():
    generator = torch.Generator().manual_seed(0)
    shown = [torch.randn((3, 2, 7, 8), generator=generator, dtype=torch.float64).requires_grad_() for _ in range(3)]
    is_key = torch.arange(7)[None] < torch.tensor([[7], [4], [1]])
    weight = torch.randn((3, 2, 7, 8), generator=generator, dtype=torch.float64)
    for mask in (None, is_key[:, None, None]):
        ours, theirs = (
            (seen, torch.autograd.grad((seen * weight).sum(), shown))
            for seen in (attend(*shown, mask), torch.nn.functional.scaled_dot_product_attention(*shown, mask))
        )
        assert torch.allclose(ours[0], theirs[0], atol=1e-12)
        assert all(torch.allclose(mine, other, atol=1e-12) for mine, other in zip(ours[1], theirs[1], strict=True))


def test_the_vae_in_training_is_the_vae_that_stock_runs(recipe):
    config = load(ViewTraining, recipe)
    vae = scratch_parts(config.scratch, 0).vae.eval()
    images = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), dtype=np.uint8)
    learner = VaeLearner(vae, config, images)
    pixels = to_pixels(images)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(4)
        back, mean, log_variance = learner.module(pixels, generator)
        coded = vae.encode(pixels[:, :, None]).latent_dist
        drawn = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator.manual_seed(4))
        stock = vae.decode(drawn).sample[:, :, 0]
    assert float((coded.mean - mean).abs().max()) < 1e-5
    assert float((stock - back.clamp(-1, 1)).abs().max()) < 1e-5


def test_an_error_of_latents_is_one_of_pixels(recipe):
    config = load(ViewTraining, recipe)
    images = read_examples(config).images()
    vae = scratch_parts(config.scratch, 0).vae.eval()
    begin_linear(vae, images)
    normalise(vae, images)
    coder = Latents(vae, torch.device("cpu"))
    with torch.no_grad():
        latent = coder.encode(images[0])
        back = coder.decode(latent)[0].astype(float)
        assert np.sqrt(np.square(back - images[0]).mean()) < 16  # a linear code already shows the picture
        few = torch.cat([coder.encode(image) for image in images[:8]])
        assert 0.5 < float(few.var(dim=(0, 2, 3), unbiased=False).mean()) < 2.0
        changes = []
        for channel in (2, 8, 15):
            changed = latent.clone()
            changed[:, channel] += 0.2
            decoded = vae.decode((changed * coder._spread + coder._mean)[:, :, None]).sample
            plain = vae.decode((latent * coder._spread + coder._mean)[:, :, None]).sample
            changes.append(float((decoded - plain).square().mean().sqrt()))
    assert max(changes) < 1.5 * min(changes)


def test_a_mirror_turns_the_yaw_round(recipe, made_store):
    examples = read_examples(load(ViewTraining, recipe))
    pair = next(pair for pair in examples.pairs if abs(pair.motion.yaw_deg) > 5)
    said, turned = (pair.prompt(Angles(), side) for side in (False, True))
    yaw, other = (float(re.search(r"Yaw (-?[\d.]+)", text)[1]) for text in (said, turned))
    assert yaw == pytest.approx(pair.motion.yaw_deg, abs=0.06) and other == -yaw
    assert re.sub(r"Yaw -?", "Yaw ", said) == re.sub(r"Yaw -?", "Yaw ", turned)


def test_a_warp_shows_the_target(recipe):
    config = load(ViewTraining, recipe, ["most_off_deg=180", "most_off_m=10"])
    examples = read_examples(config)
    images = examples.images().astype(float)
    warps = list(examples.warps())
    assert len(warps) == len(examples.pairs) > 3
    errors = np.array(
        [
            [np.square(warp - images[p.target]).mean(), np.square(images[p.source] - images[p.target]).mean()]
            for p, warp in zip(examples.pairs, warps, strict=True)
        ]
    )
    assert errors[:, 0].mean() < 0.6 * errors[:, 1].mean()
    still = replace(
        examples, pairs=(replace(examples.pairs[0], source_from_target=rigid.make_transform(np.eye(3), np.zeros(3))),)
    )
    assert np.abs(next(iter(still.warps())).astype(float) - images[examples.pairs[0].source]).mean() < 5


def test_numbers_tell_angles_apart():
    config = ViewTraining()
    motions = [CameraMotion(yaw, pitch) for yaw in range(-45, 46, 5) for pitch in range(-20, 21, 5)]
    numbers = np.array([numbers_of(motion, config) for motion in motions])
    apart = np.linalg.norm(numbers[:, None] - numbers[None], axis=2) + 9 * np.eye(len(motions))
    assert apart.min() > 0.5


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (["data=nowhere"], InputError, "holds no manifest"),
        (["move.loop.rate=1"], ConfigError, "unknown key 'move.loop.rate'"),
        (["stages=[words, move]"], ConfigError, "needs the stage vae"),
        (["base=small-edit"], ConfigError, "the stage words is for an MLLM from scratch"),
        (["move.least_level=0.9"], ConfigError, "least_level 0.9 is above"),
        (["scratch.width=50"], ConfigError, "no multiple of 8 x 2 heads"),
        (["most_yaw=1", "most_pitch=1"], InputError, "no pairs of views"),
        (["size=100"], InputError, "no buckets of size 100"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path, recipe, changes, error, said):
    with pytest.raises(error, match=re.escape(said)):
        train_view(load(ViewTraining, recipe, changes), tmp_path / "out", "bad")
    assert not (tmp_path / "out" / "model").exists()


def test_shared_weights_are_refused(tmp_path, recipe, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="launch it without FSDP"):
        train_view(load(ViewTraining, recipe), tmp_path, "sharded")


def test_another_run_s_checkpoint_is_refused(trained, recipe):
    with pytest.raises(ConfigError, match=r"batch was 4 and is 5"):
        train_view(load(ViewTraining, recipe, ["move.batch=5"]), trained, "other")


def test_the_command_names_what_is_wrong_in_one_line(tmp_path, recipe, capsys):
    assert run(["train", "view", str(recipe), "--out", str(tmp_path), "--set", "data=nowhere"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_trained_folder_draws_by_the_real_code(trained):
    painter = open_painter(ImaginationConfig(model=str(trained / "model"), size=64))
    image = np.full((48, 64, 3), 90, np.uint8)
    drawn = painter.sampler.draw([DrawRequest("Turn.", 0, (image,))], (48, 64), Preset(steps=1))
    assert drawn.images[0].shape == (48, 64, 3)


def test_recipes_are_read():
    for path in RECIPES.glob("small-edit*.yaml"):
        assert load(ViewTraining, path).name == path.stem == yaml.safe_load(path.read_text())["name"]
