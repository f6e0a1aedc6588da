"""``joyai-ros imagine --method``, ``edit`` and ``generate`` on a small random pipeline, through the real loading code."""

import json
import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch

from joyai_ros.cli.main import run
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.requests import MoveCamera
from joyai_ros.models.folder import write_lock
from tests.geometry.analytic import CAMERA, Room, moved

QUICK = ("--size", 64, "--steps", 2)


@pytest.fixture
def frame(tmp_path):
    """Files of the analytic room; returns the options that name them."""
    picture = Room().seen_from()
    cv2.imwrite(str(tmp_path / "rgb.png"), cv2.cvtColor(picture.color, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(tmp_path / "depth.png"), np.rint(picture.depth * 5000).astype(np.uint16))
    names = ("width", "height", "fx", "fy", "cx", "cy")
    camera = {name: getattr(CAMERA, name) for name in names} | {"depth_units_per_metre": 5000}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    files = ("--rgb", tmp_path / "rgb.png", "--depth", tmp_path / "depth.png", "--camera", tmp_path / "camera.json")
    return {"rgb": files[:2], "all": files}


@pytest.fixture
def typed(capsys):
    """Run a command; returns exit code, stdout, stderr."""

    def run_command(*words):
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def test_a_view_by_a_model_and_by_both(typed, frame, edit_folder, tmp_path):
    motion = ("--yaw", 20, "--pitch", 5, "--zoom", 1.2, "--method")
    code, out, err = typed(
        *("imagine", *frame["all"], *motion, "both", "--model", edit_folder, *QUICK, "--seed", 3),
        *("--out", tmp_path / "view.png", "--validity", tmp_path / "validity.png", "--json", tmp_path / "view.json"),
    )
    assert (code, err) == (0, "")
    assert "unverified" in out, "a model that was not trained does not know where it looks from"
    said = json.loads((tmp_path / "view.json").read_text())
    drawn, measured = said["model"], said["depth"]
    assert (drawn["method"], drawn["model"], drawn["seed"], drawn["steps"]) == ("model", edit_folder.name, 3, 2)
    assert drawn["prompts"] == [MoveCamera(CameraMotion(20, 5, 1.2)).prompt]
    assert (drawn["verified"], drawn["consistency"], drawn["estimated_source_from_view"]) == (
        False,
        "inconsistent",
        None,
    )
    assert (drawn["seen"], drawn["confidence"], measured["verified"]) == (0.0, None, True)
    np.testing.assert_allclose(drawn["source_from_view"], measured["source_from_view"])
    assert set(drawn["seconds"]) == {"prepare", "denoise", "decode", "check"}
    image = cv2.imread(str(tmp_path / "view.png"))
    assert image.shape == (drawn["camera"]["height"], drawn["camera"]["width"], 3) and image.std() > 1
    assert cv2.imread(str(tmp_path / "view_depth.png")).shape == (*CAMERA.shape, 3)
    assert not cv2.imread(str(tmp_path / "validity.png")).any()
    # Alone, of the same seed, it is the same; of another it is not.
    for seed, is_same in ((3, True), (4, False)):
        rest = ("--model", edit_folder, *QUICK, "--seed", seed, "--out", tmp_path / "other.png")
        assert typed("imagine", *frame["all"], *motion, "model", *rest)[0] == 0
        other = cv2.imread(str(tmp_path / "other.png"))
        assert np.array_equal(other, image) == is_same


def test_a_view_without_depth_is_drawn_and_not_checked(typed, frame, edit_folder, tmp_path):
    where = ("--yaw", 120, "--method", "model", "--model", edit_folder, *QUICK, "--out", tmp_path / "view.png")
    code, out, _ = typed("imagine", *frame["rgb"], *where, "--json", "-")
    said = json.loads(out)
    assert (code, said["consistency"], said["check"]) == (0, "unchecked", None)
    assert len(said["prompts"]) == 2 and said["steps"] == 4, "more than a model goes at once is drawn in parts"
    code, _, err = typed("imagine", *frame["rgb"], *where, "--guide", 0.5)
    assert code == 2 and "only where there is depth" in err
    code, _, err = typed("imagine", *frame["rgb"], "--yaw", 10, "--out", tmp_path / "view.png")
    assert code == 2 and "needs a depth image" in err


def test_a_guided_view_takes_fewer_steps(typed, frame, edit_folder, tmp_path):
    where = ("--yaw", 10, "--method", "model", "--model", edit_folder, "--size", 64, "--preset", "fast", "--guide", 0.5)
    code, out, _ = typed("imagine", *frame["all"], *where, "--out", tmp_path / "view.png", "--json", "-")
    assert (code, json.loads(out)["steps"]) == (0, 5)


def test_the_modes_of_edit(typed, frame, edit_folder, tmp_path):
    for words, prompt in (
        (("Make it blue.",), "Make it blue."),
        (("red cup", "--box", "20,30,120,90"), "Move the red cup into the red box and finally remove the red box."),
        (("robot", "--side", "rear left"), "Rotate the robot to show the rear left side view."),
    ):
        rest = ("--model", edit_folder, *QUICK, "--out", tmp_path / "edit.png", "--json", "-")
        code, out, err = typed("edit", frame["rgb"][1], *words, *rest)
        assert (code, err) == (0, "")
        said = json.loads(out)
        assert said["prompt"] == prompt
        image = cv2.imread(str(tmp_path / "edit.png"))
        assert image.shape == (said["height"], said["width"], 3) and image.std() > 1


def test_several_images_and_none(typed, frame, edit_folder, plus_folder, tmp_path):
    image, out = frame["rgb"][1], tmp_path / "edit.png"
    assert typed("edit", image, image, "One table.", "--model", plus_folder, *QUICK, "--out", out)[0] == 0
    code, _, err = typed("edit", image, image, "One table.", "--model", edit_folder, *QUICK, "--out", out)
    assert code == 2 and "2 references are too many; this model takes 1" in err
    code, said, _ = typed("generate", "A cup.", "--model", edit_folder, *QUICK, "--shape", "4:3", "--out", out)
    assert code == 0 and "64x48, 2 steps" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name the model that draws with --model"),
        (("--model", "nobody"), "no model card 'nobody'"),
        (("--model", "FOLDER"), "give a model's folder"),
        (("--model", "qwen3-vl-2b-instruct"), "qwen3-vl-2b-instruct"),
        (("--model", "EDIT", "--preset", "quick"), "no preset 'quick'; there are exact, balanced, fast"),
        (("--model", "EDIT", "--size", 300), "no buckets of size 300"),
        (("--model", "EDIT", "--steps", 0), "steps of a preset is 0"),
        (("--model", "EDIT", "--seed", -1), "seed -1 is none"),
        (("--model", "EDIT", "--guide", "nan"), "strength is nan"),
        (("--model", "EDIT", "--yaw", "nan"), "not finite"),
        (("--model", "EDIT", "--pitch", 100, "--up", "0,-1,0", "--pivot", "0,0,2"), "past straight down"),
        (("--model", "EDIT", "--set", "imagination.loading.precision=float8"), "no precision 'float8'"),
        (("--model", "EDIT", "--set", "imagination.part=2"), "imagination.part"),
        (("--model", "EDIT", "--pose", "a", "--target-pose", "b"), "one of them"),
    ],
)
def test_what_cannot_be_drawn_gets_one_clear_line(typed, frame, edit_folder, tmp_path, options, words):
    spelled = [{"EDIT": edit_folder, "FOLDER": tmp_path}.get(option, option) for option in options]
    code, out, err = typed(
        *("imagine", *frame["all"], "--yaw", 10, "--method", "model", *spelled, "--out", tmp_path / "view.png")
    )
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1 and "Traceback" not in err
    assert not (tmp_path / "view.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("edit", "RGB", "--model", "EDIT"), "at least one image"),
        (("edit", "RGB", "cup", "--box", "1,2,3", "--model", "EDIT"), "is not four numbers"),
        (("edit", "RGB", "cup", "--box", "5,5,2,9", "--model", "EDIT"), "place to move to"),
        (("edit", "RGB", "cup", "--box", "1,2,30,40", "--side", "left", "--model", "EDIT"), "give one of them"),
        (("edit", "RGB", "cup", "--side", "top", "--model", "EDIT"), "--side"),
        (("edit", "RGB", " ", "--model", "EDIT"), "the text has 0 characters"),
        (("edit", "nowhere.png", "Blue.", "--model", "EDIT"), "no such colour image"),
        (("generate", "", "--model", "EDIT"), "the text has 0 characters"),
        (("generate", "A cup.", "--shape", "wide", "--model", "EDIT"), "not width to height"),
    ],
)
def test_bad_requests_get_one_clear_line(typed, frame, edit_folder, tmp_path, arguments, words):
    spelled = [{"EDIT": edit_folder, "RGB": frame["rgb"][1]}.get(word, word) for word in arguments]
    code, out, err = typed(*spelled, "--out", tmp_path / "picture.png")
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1 and "Traceback" not in err


def test_weights_that_are_not_what_was_downloaded(typed, edit_folder, tmp_path):
    folder = tmp_path / "edit"
    shutil.copytree(edit_folder, folder)
    write_lock(folder, "some/where", "0" * 40)
    drawing = ("generate", "A cup.", "--model", folder, *QUICK, "--out", tmp_path / "cup.png")
    hashed = (*drawing, "--set", "imagination.loading.hashes=true")
    assert typed(*hashed)[0] == 0
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, _, err = typed(*hashed)
    assert code == 2 and weights.name in err and err.count("\n") == 1


def test_out_of_memory(typed, edit_folder, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Sampler, "_velocity", full)
    code, _, err = typed("generate", "A cup.", "--model", edit_folder, *QUICK, "--out", tmp_path / "cup.png")
    assert code == 2
    assert "out of memory while drawing 1 images of 64x64" in err and err.count("\n") == 1


def test_ctrl_c_ends_a_drawing_and_leaves_no_file(typed, edit_folder, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Sampler, "_velocity", interrupt)
    code, out, _ = typed("generate", "A cup.", "--model", edit_folder, *QUICK, "--out", tmp_path / "cup.png")
    assert (code, out) == (130, "")
    assert not list(tmp_path.iterdir())


def test_a_target_pose_by_a_model(typed, frame, edit_folder, tmp_path):
    """The nearest motion is told, and by how much it misses the pose; too far is refused before a model is loaded."""
    poses = {"here": np.eye(4), "there": moved(x=-0.4, yaw=0.2), "aside": moved(x=0.5)}
    for name, pose in poses.items():
        np.savetxt(tmp_path / f"{name}.txt", pose)
    words = ["imagine", *frame["all"], "--method", "model", "--model", edit_folder, *QUICK, "--up", "0,-1,0"]
    words += ["--out", tmp_path / "view.png", "--json", tmp_path / "view.json", "--pose", tmp_path / "here.txt"]
    code, _, err = typed(*words, "--target-pose", tmp_path / "there.txt")
    assert (code, err) == (0, "")
    said = json.loads((tmp_path / "view.json").read_text())
    np.testing.assert_allclose(said["source_from_view"], poses["there"])
    assert 0 < said["missed"]["metres"] < 0.2 and said["missed"]["angle_deg"] < 1
    assert "Yaw" in said["prompts"][0] and "Pitch 0°" in said["prompts"][0]
    code, _, err = typed(*words[:-4], "--pose", tmp_path / "here.txt", "--target-pose", tmp_path / "aside.txt")
    assert code == 2 and "draw it from depth" in err and err.count("\n") == 1
