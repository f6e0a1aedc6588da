"""``joyai-ros imagine`` as a user types it."""

import json

import cv2
import numpy as np
import pytest

from joyai_ros.cli.main import run
from joyai_ros.geometry.view import SEEN
from tests.geometry.analytic import CAMERA, Room, inside, moved, near_edge


@pytest.fixture
def typed(tmp_path, capsys):
    """Run the command on the analytic room; returns exit code, stdout, stderr."""
    picture = Room().seen_from()
    cv2.imwrite(str(tmp_path / "rgb.png"), cv2.cvtColor(picture.color, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(tmp_path / "depth.png"), np.rint(picture.depth * 5000).astype(np.uint16))
    names = ("width", "height", "fx", "fy", "cx", "cy")
    camera = {name: getattr(CAMERA, name) for name in names} | {"depth_units_per_metre": 5000}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    for name, pose in (("here", np.eye(4)), ("there", moved(x=0.12, yaw=-0.05))):
        np.savetxt(tmp_path / f"{name}.txt", pose)
    (tmp_path / "no_pose.txt").write_text("lost")

    def run_command(*options, rgb="rgb.png"):
        files = ["--rgb", tmp_path / rgb, "--depth", tmp_path / "depth.png", "--camera", tmp_path / "camera.json"]
        spelled = [tmp_path / option[1:] if str(option).startswith("@") else option for option in options]
        code = run([str(word) for word in ["imagine", *files, "--out", tmp_path / "view.png", *spelled]])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def picture_of(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_a_motion(typed, tmp_path):
    motion = ("--yaw", 10, "--pitch", 5, "--zoom", 1.1, "--up", "0,-1,0")
    code, out, err = typed(*motion, "--validity", "@validity.png", "--json", "@view.json")
    assert (code, err) == (0, "")
    assert "seen" in out
    view = json.loads((tmp_path / "view.json").read_text())
    validity = cv2.imread(str(tmp_path / "validity.png"), cv2.IMREAD_UNCHANGED)
    truth = Room().seen_from(CAMERA, np.array(view["source_from_view"]))
    seen = inside(validity == SEEN) & ~near_edge(truth.surface, 2)
    assert validity.shape == CAMERA.shape
    assert set(np.unique(validity)) <= {0, 128, 255}
    assert view["up_source"] == "given"
    assert view["seen"] == pytest.approx((validity == 255).mean())
    assert np.abs(picture_of(tmp_path / "view.png").astype(int) - truth.color)[seen].mean() < 1.5


def test_two_poses(typed, tmp_path):
    code, _, _ = typed(
        "--pose", "@here.txt", "--target-pose", "@there.txt", "--validity", "@validity.png", "--pose-sigma", 0
    )
    assert code == 0
    truth = Room().seen_from(CAMERA, moved(x=0.12, yaw=-0.05))
    validity = cv2.imread(str(tmp_path / "validity.png"), cv2.IMREAD_UNCHANGED)
    seen = inside(validity == SEEN) & ~near_edge(truth.surface, 2)
    assert np.abs(picture_of(tmp_path / "view.png").astype(int) - truth.color)[seen].mean() < 1.5


def test_poses_of_two_cameras_are_the_depth_camera_s(typed, tmp_path):
    offset = moved(x=-0.05, yaw=0.02)  # colour from depth
    camera = json.loads((tmp_path / "camera.json").read_text())
    (tmp_path / "camera.json").write_text(
        json.dumps({"color": camera, "depth": camera, "color_from_depth": offset.tolist()})
    )
    turn = moved(x=0.1, yaw=0.1)
    np.savetxt(tmp_path / "there.txt", turn)
    code, _, _ = typed("--pose", "@here.txt", "--target-pose", "@there.txt", "--json", "@view.json")
    assert code == 0
    expected = offset @ turn @ np.linalg.inv(offset)
    np.testing.assert_allclose(
        json.loads((tmp_path / "view.json").read_text())["source_from_view"], expected, atol=1e-6
    )


def test_a_pivot_of_one_s_own(typed, tmp_path):
    code, _, _ = typed("--zoom", 2, "--pivot", "0,0,3", "--json", "@view.json")
    assert code == 0
    pose = np.array(json.loads((tmp_path / "view.json").read_text())["source_from_view"])
    np.testing.assert_allclose(pose[:3, 3], (0, 0, 1.5), atol=1e-9)


def test_a_motion_in_words_about_an_object(typed, tmp_path):
    corners = CAMERA.project(np.array([(-0.25, -0.2, 1.5), (0.25, 0.2, 1.5)]))
    plate = {"id": "plate_1", "label": "plate", "box": corners.ravel().tolist()}
    (tmp_path / "boxes.json").write_text(json.dumps({"objects": [plate]}))
    told = ("--words", "Look at the plate from the left, and closer", "--boxes", "@boxes.json", "--up", "0,-1,0")
    code, _, err = typed(*told, "--json", "@view.json")
    assert (code, err) == (0, "")
    pose = np.array(json.loads((tmp_path / "view.json").read_text())["source_from_view"])
    away = pose[:3, 3] - (0, 0, 1.5)
    assert np.linalg.norm(away) == pytest.approx(1.5 / 1.5, abs=0.05)
    assert np.degrees(np.arctan2(away[0], -away[2])) == pytest.approx(-30, abs=3)


def test_json_alone_on_standard_output(typed):
    code, out, _ = typed("--yaw", 5, "--json", "-")
    assert code == 0
    assert json.loads(out)["up_source"] in ("cloud", "image")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say where to look from"),
        (("--yaw", "nan"), "not finite"),
        (("--zoom", 0), "zoom 0.0 is not positive"),
        (("--zoom", "inf"), "not finite"),
        (("--yaw", 5, "--pose", "@here.txt", "--target-pose", "@there.txt"), "one of them"),
        (("--yaw", 5, "--words", "closer"), "one of them"),
        (("--words", "make me a coffee"), "no motion is found"),
        (("--words", " "), "the instruction is empty"),
        (("--words", "closer", "--boxes", "@nowhere.json"), "no such boxes file"),
        (("--pose", "@here.txt"), "go together"),
        (("--pose", "@here.txt", "--target-pose", "@no_pose.txt"), "four rows of four numbers"),
        (("--pose", "@here.txt", "--target-pose", "@nowhere.txt"), "no such pose file"),
        (("--yaw", 5, "--pivot", "1,2"), "three numbers"),
        (("--yaw", 5, "--pivot", "0,0,0"), "pivot"),
        (("--yaw", 5, "--up", "0,0,0"), "up"),
        (("--yaw", 5, "--up", "0,nan,0"), "--up"),
        (("--pitch", 100, "--up", "0,-1,0"), "past straight down"),
        (("--yaw", "left"), "--yaw"),
        (("--yaw", 5, "--pose-sigma", -1), "pose_sigma_deg"),
    ],
)
def test_bad_usage_gets_one_clear_line(typed, tmp_path, options, words):
    code, out, err = typed(*options)
    assert code == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not (tmp_path / "view.png").exists()


def test_a_missing_picture_and_an_unknown_format(typed):
    code, _, err = typed("--yaw", 5, rgb="nowhere.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "no such colour image" in err
    code, _, err = typed("--yaw", 5, "--out", "@view.words")
    assert code == 2
    assert "picture format" in err
