"""``joyai-ros scene`` as a user types it: its JSON, its picture, and the one line that bad input gets."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.raycast import Ball, Tube
from joyai_ros.cli.main import run
from joyai_ros.geometry import rigid
from joyai_ros.scene.predicates import Predicate
from tests.scene.stage import SMALL, block, shoot

ROOT = Path(__file__).parents[2]
UNITS = 5000
OBJECT = {
    "id", "label", "box", "center_m", "size_m", "rotation", "height_m", "sigma_m", "points",
    "label_source", "score", "height_sigma_m", "center_sigma_m", "size_sigma_m", "truncated",
}  # fmt: skip
RELATION = {
    "subject", "predicate", "objects", "value", "unit", "sigma", "frame", "confidence", "source", "status",
}  # fmt: skip


@pytest.fixture(scope="module")
def shot():
    things = {
        "block": block(-0.2, 0.0, (0.12, 0.08, 0.12)),
        "can": [Tube((0.05, 0.05, 0.05), 0.035, 0.10)],
        "ball": [Ball((0.25, -0.1, 0.05), 0.05)],
    }
    return shoot(things, camera=SMALL)


@pytest.fixture
def typed(shot, tmp_path, capsys):
    """Run the command on a frame with three things on a table; returns exit code, stdout, stderr."""
    seen = shot.asked("boxes")
    camera = {name: getattr(SMALL, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    boxes = [{"id": d.id, "label": d.label, "box": list(d.box)} for d in seen.detections]
    write = {
        "camera.json": camera | {"depth_units_per_metre": UNITS},
        "boxes.json": {"objects": boxes},
        "outside.json": {"objects": [{"id": "far", "box": [900, 10, 950, 60]}]},
        "inverted.json": {"objects": [{"id": "turned", "box": [60, 10, 20, 60]}]},
        "twice.json": {"objects": [boxes[0], boxes[0]]},
        "blank_camera.json": camera | {"fx": 0},
        "other_camera.json": camera | {"width": 640},
    }
    for name, content in write.items():
        (tmp_path / name).write_text(json.dumps(content))
    cv2.imwrite(str(tmp_path / "rgb.png"), cv2.cvtColor(seen.color, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(tmp_path / "depth.png"), np.rint(seen.depth * UNITS).astype(np.uint16))
    cv2.imwrite(str(tmp_path / "nothing.png"), np.zeros(SMALL.shape, np.uint16))
    (tmp_path / "words.png").write_text("no picture")

    def run_command(*options, **files):
        named = {"rgb": "rgb.png", "depth": "depth.png", "camera": "camera.json"} | files
        words = [word for option, name in named.items() if name for word in (f"--{option}", tmp_path / name)]
        spelled = [tmp_path / option[1:] if str(option).startswith("@") else option for option in options]
        code = run([str(word) for word in ["scene", *words, *spelled]])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def scene_of(typed, *options):
    code, out, err = typed("--json", "-", *options)
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_the_scene_as_json(typed, shot):
    scene = scene_of(typed, "--boxes", "@boxes.json", "--up", up_of(shot))
    assert {"up", "objects", "relations", "support_planes"} <= set(scene)
    np.testing.assert_allclose(scene["up"], shot.pose[2, :3], atol=1e-6)
    assert [item["id"] for item in scene["objects"]] == ["block", "can", "ball"]
    for item in scene["objects"]:
        assert set(item) == OBJECT
        assert len(item["box"]) == 4
        assert item["points"] > 100
    (plane,) = scene["support_planes"]
    np.testing.assert_allclose(plane["normal"], shot.pose[2, :3], atol=1e-3)
    assert plane["offset_m"] == pytest.approx(0.6, abs=2e-3)
    assert len(plane["polygon_m"]) >= 3


def test_boxes_are_metres_in_the_optical_frame(typed, shot):
    scene = scene_of(typed, "--boxes", "@boxes.json", "--up", up_of(shot))
    block_ = scene["objects"][0]
    center = rigid.apply(rigid.inverse(shot.pose), np.array([-0.2, 0.0, 0.06]))
    np.testing.assert_allclose(block_["center_m"], center, atol=0.006)
    np.testing.assert_allclose(block_["size_m"], (0.12, 0.08, 0.12), atol=0.008)
    assert block_["height_m"] == pytest.approx(block_["size_m"][2])
    assert 0 < block_["sigma_m"] < 0.02
    rotation = rigid.matrix_from_quaternion(np.array(block_["rotation"]))  # camera from box
    np.testing.assert_allclose(rotation[:, 2], shot.pose[2, :3], atol=1e-3)  # its z axis is up
    assert abs(rotation[0, 0]) == pytest.approx(1.0, abs=0.01)  # its length lies across the view


def test_statements_have_values_units_and_frames(typed, shot):
    relations = scene_of(typed, "--boxes", "@boxes.json", "--up", up_of(shot))["relations"]
    for item in relations:
        assert set(item) == RELATION
        assert item["predicate"] in {predicate.value for predicate in Predicate}
        assert item["frame"] in {"viewer", "world", "object"}
        assert item["source"] == "geometry"
        assert item["status"] == "unchecked"
        assert math.isfinite(item["value"])
        assert item["sigma"] >= 0
        assert item["confidence"] is None or 0.5 <= item["confidence"] <= 1.0
    by_fact = {(item["subject"], item["predicate"], *item["objects"]): item for item in relations}
    left = by_fact["block", "left_of", "ball"]
    assert left["value"] == pytest.approx(0.45, abs=0.01)
    assert (left["unit"], left["frame"]) == ("m", "viewer")
    assert by_fact["ball", "right_of", "block"]["value"] == left["value"]
    assert by_fact["can", "height"]["value"] == pytest.approx(0.1, abs=0.006)
    assert by_fact["can", "height"]["objects"] == []


def test_up_is_read_off_the_table_where_nobody_gives_it(typed, shot):
    scene = scene_of(typed, "--boxes", "@boxes.json")
    assert scene["up_source"] == "cloud"
    assert math.degrees(math.acos(np.dot(scene["up"], shot.pose[2, :3]))) < 0.5


def test_up_may_have_any_length_and_turns_the_view(typed, shot):
    direction = 7.0 * shot.pose[2, :3]
    scene = scene_of(typed, "--boxes", "@boxes.json", f"--up={','.join(map(str, direction))}")
    assert scene["up_source"] == "given"
    np.testing.assert_allclose(scene["up"], shot.pose[2, :3], atol=1e-6)


def test_without_boxes_objects_are_found(typed):
    scene = scene_of(typed)
    assert [item["id"] for item in scene["objects"]] == ["cluster_0", "cluster_1", "cluster_2"]
    assert {item["label_source"] for item in scene["objects"]} == {"none"}


def test_a_frame_without_a_level_surface_has_nulls_not_nan(typed, shot, tmp_path):
    only_ball = np.where(shot.seen.mask("ball"), shot.observation.depth, 0.0)
    cv2.imwrite(str(tmp_path / "ball.png"), np.rint(only_ball * UNITS).astype(np.uint16))
    code, out, _ = typed("--json", "-", "--boxes", "@boxes.json", depth="ball.png")
    assert code == 0
    scene = json.loads(out)
    assert scene["up"] is None
    assert [item["height_m"] for item in scene["objects"]] == [None]
    assert len(scene["rejected"]) == 2  # block and can have no depth


def test_the_table_and_the_picture(typed, tmp_path):
    code, out, err = typed("--boxes", "@boxes.json", "--picture", "@scene.png")
    assert (code, err) == (0, "")
    for word in ("block", "can", "ball", "3 objects", "support plane"):
        assert word in " ".join(out.split())
    picture = cv2.imread(str(tmp_path / "scene.png"))
    assert picture.shape[0] == SMALL.height
    assert picture.shape[1] > SMALL.width  # the table of relations stands beside the image
    unchanged = cv2.imread(str(tmp_path / "rgb.png"))
    assert (picture[:, : SMALL.width] != unchanged).any()


def test_json_into_a_file_leaves_the_table_on_standard_output(typed, tmp_path):
    code, out, _ = typed("--boxes", "@boxes.json", "--json", "@deep/scene.json")
    assert code == 0
    assert "block" in out
    assert len(json.loads((tmp_path / "deep" / "scene.json").read_text())["objects"]) == 3


@pytest.mark.parametrize(
    ("options", "files", "words"),
    [
        ((), {"rgb": "absent.png"}, ("absent.png", "no such")),
        ((), {"depth": "absent.png"}, ("absent.png", "no such")),
        ((), {"camera": "absent.json"}, ("absent.json", "no such")),
        (("--boxes", "@absent.json"), {}, ("absent.json", "no such")),
        ((), {"rgb": "words.png"}, ("words.png", "not a readable image")),
        ((), {"depth": "rgb.png"}, ("rgb.png", "one channel")),
        ((), {"depth": "nothing.png"}, ("nothing.png", "no valid depth")),
        ((), {"camera": "blank_camera.json"}, ("blank_camera.json", "fx=0")),
        ((), {"camera": "other_camera.json"}, ("320x240", "640x240")),
        ((), {"camera": "rgb.png"}, ("rgb.png", "not JSON")),
        (("--boxes", "@outside.json"), {}, ("outside.json", "'far'", "outside")),
        (("--boxes", "@inverted.json"), {}, ("inverted.json", "'turned'", "inverted")),
        (("--boxes", "@twice.json"), {}, ("twice.json", "'block'", "twice")),
        (("--up", "0,0,0"), {}, ("up", "not a direction")),
        (("--up", "nan,0,1"), {}, ("--up", "three numbers")),
        (("--up", "0,-1"), {}, ("--up", "three numbers")),
        (("--picture", "@scene.xyz"), {}, ("scene.xyz", "not a picture format")),
        ((), {"rgb": None}, ("--rgb", "scene --help")),
        ((), {"depth": None}, ("--depth", "scene --help")),
        (("--colour",), {}, ("--colour", "scene --help")),
    ],
)
def test_bad_input_gets_one_clear_line(typed, tmp_path, options, files, words):
    code, out, err = typed(*options, "--json", "@scene.json", **files)
    assert code == 2
    assert out == ""
    assert err.startswith("joyai-ros: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not (tmp_path / "scene.json").exists()


def test_a_result_that_cannot_be_written_is_no_bad_input(typed, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = typed("--json", "@file/scene.json")
    assert code == 1
    assert "cannot be written" in err
    assert err.count("\n") == 1


def test_the_program_itself(tmp_path):
    """The exit code and the one line, from the process that a shell sees."""
    command = [
        sys.executable,
        "-m",
        "joyai_ros",
        "scene",
        "--rgb",
        "no.png",
        "--depth",
        "no.png",
        "--camera",
        "no.json",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def up_of(shot):
    return ",".join(f"{value:.9f}" for value in shot.pose[2, :3])
