"""The small pipeline that travels with the package: it is whole, it reads its prompts, and it draws by the real code."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import open_painter
from joyai_ros.imagination.requests import MoveCamera
from joyai_ros.models.card import load_card, shipped_folder
from joyai_ros.models.pipeline_folder import check_pipeline
from joyai_ros.sim.frames import SimSettings, observe
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.training.evaluation.image_scores import psnr

CARD = load_card("small-edit")
HELD_OUT = 1_000_000  # seeds from here on are in no training data


@pytest.fixture(scope="module")
def painter():
    return open_painter(ImaginationConfig(model="small-edit", size=128))


def test_it_is_whole_and_small():
    folder = shipped_folder(CARD)
    found = check_pipeline(folder)
    assert CARD.parameters == sum(found.parameters(part) for part in found.size)
    shipped = [
        path for name in ("small-edit", "small-und") for path in (folder.parent / name).rglob("*") if path.is_file()
    ]
    assert sum(path.stat().st_size for path in shipped) < 25e6
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".safetensors", ".json", ".jinja"}
    assert CARD.training["command"].startswith("joyai-ros train view models/recipes/small-edit.yaml")


def test_its_states_tell_angles_apart(painter):
    draw = np.random.default_rng(5)
    angles = np.stack([draw.uniform(-45, 45, 400), draw.uniform(-20, 20, 400)], axis=1)
    image = np.full((112, 144, 3), 120, np.uint8)
    prompts = [MoveCamera(CameraMotion(float(yaw), float(pitch)), CARD.angles).prompt for yaw, pitch in angles]
    states = painter.sampler.conditioner.states([image], prompts)
    read = np.array([[*state[-1].numpy(), 1.0] for state in states], np.float64)
    weights = np.linalg.solve(read[:300].T @ read[:300] + 1e-2 * np.eye(read.shape[1]), read[:300].T @ angles[:300])
    errors = np.sqrt(np.square(read[300:] @ weights - angles[300:]).mean(axis=0))
    assert errors[0] < 5.0 and errors[1] < 3.0


def test_from_the_measured_surface_it_comes_nearer_to_the_truth_than_the_frame(painter):
    gains, repeated = [], []
    for seed, yaw in ((HELD_OUT + 7, 30), (HELD_OUT + 8, -20)):
        with TabletopSim(seed) as sim:
            truth = sim.truth(whole=False)
            frame = observe(sim.description, truth, 0, 1, SimSettings(), "none")
            motion, pivot = CameraMotion(yaw, 5), default_pivot(frame.camera, frame.depth)
            pose = truth.world_from_camera @ orbit(motion, pivot, truth.up)
            fitting = painter.fitting(frame.camera.size)
            true = fitting.image(sim.render(pose, truth.camera))
        how = Drawing(Preset(steps=10, guidance=1.0), 128, seed=1, strength=0.2)
        made = painter.imaginer.imagine(frame, motion, how, pivot, truth.up)
        gains.append(psnr(made.drawn, true) - psnr(fitting.image(frame.color), true))
        repeated.append(np.array_equal(made.drawn, painter.imaginer.imagine(frame, motion, how, pivot, truth.up).drawn))
    assert np.mean(gains) > 2.0 and all(repeated)


def test_from_noise_it_turns_the_asked_way(painter):
    """What it draws for a yaw is more like the true view from there than like that from the other side."""
    nearer = []
    for seed in (HELD_OUT + 7, HELD_OUT + 8, HELD_OUT + 9):
        with TabletopSim(seed) as sim:
            truth = sim.truth(whole=False)
            frame = observe(sim.description, truth, 0, 1, SimSettings(), "none")
            pivot, fitting = default_pivot(frame.camera, frame.depth), painter.fitting(frame.camera.size)
            true = {}
            for yaw in (-20.0, 20.0):
                pose = truth.world_from_camera @ orbit(CameraMotion(yaw), pivot, truth.up)
                true[yaw] = fitting.image(sim.render(pose, truth.camera))
        for yaw in true:
            how = Drawing(painter.preset(), 128, seed=1)
            drawn = painter.imaginer.imagine(frame, CameraMotion(yaw), how, pivot, truth.up).drawn
            nearer.append(psnr(drawn, true[yaw]) - psnr(drawn, true[-yaw]))
    assert np.mean(nearer) > 0.5 and np.mean(np.array(nearer) > 0) > 0.5


def test_stock_diffusers_loads_it():
    from diffusers import AutoencoderKLWan, JoyImageEditTransformer3DModel

    folder = shipped_folder(CARD)
    network = JoyImageEditTransformer3DModel.from_pretrained(folder, subfolder="transformer", local_files_only=True)
    vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", local_files_only=True)
    assert network.config.in_channels == vae.config.z_dim and vae.config.scale_factor_spatial == 8


def test_the_recipe_is_the_card_s():
    recipe = Path(__file__).parents[2] / "models" / "recipes" / "small-edit.yaml"
    assert f"seed: {CARD.training['seed']}\n" in recipe.read_text()
