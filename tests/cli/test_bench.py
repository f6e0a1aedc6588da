import json

import numpy as np
import pytest

from joyai_ros.cli import bench, main
from joyai_ros.cli.synthetic import synthetic_observation
from joyai_ros.geometry import rigid
from joyai_ros.scene.engine import SceneEngine


def measure(tmp_path, *arguments):
    out = tmp_path / "bench.json"
    assert main.run(["bench", *arguments, "--json", str(out)]) == 0
    return json.loads(out.read_text())


def test_a_scene_is_timed(tmp_path, capsys):
    figures = measure(tmp_path, "scene", "--repeat", "3")
    assert figures["objects"] == 10
    assert figures["image"] == "640x480"
    assert 0 < figures["min_ms"] <= figures["median_ms"] <= figures["p95_ms"]
    assert figures["peak_memory_mb"] > 50
    assert "median_ms" in capsys.readouterr().out


def test_a_view_is_timed(tmp_path):
    figures = measure(tmp_path, "view", "--repeat", "3")
    assert figures["repeat"] == 3
    assert figures["median_ms"] > 0


def test_a_bag_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "MADE_UP_FRAMES", 5)
    figures = measure(tmp_path, "bag")
    assert figures["frames"] == 5
    assert figures["views"] == 1
    assert figures["rejected"] == 0
    assert figures["frames_per_second"] == pytest.approx(5 / figures["seconds"])


def test_standard_output_holds_json_alone(capsys):
    assert main.run(["bench", "view", "--repeat", "3", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["bench"] == "view"


@pytest.mark.parametrize(
    "arguments",
    [
        ["everything"],
        [],
        ["scene", "--bag", "x"],
        ["bag", "--rgb", "x"],
        ["scene", "--rgb", "x"],
        ["scene", "--rgb", "x", "--depth", "y", "--camera", "z"],
        ["bag", "--bag", "missing"],
        ["scene", "--repeat", "0"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments, capsys):
    assert main.run(["bench", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_made_up_table_is_what_it_says():
    seen = synthetic_observation(count=6, width=320, height=240)
    assert seen.depth.shape == (240, 320)
    assert [d.id for d in seen.detections] == [f"box_{n}" for n in range(1, 7)]
    again = synthetic_observation(count=6, width=320, height=240)
    assert np.array_equal(seen.depth, again.depth)
    assert not np.array_equal(seen.depth, synthetic_observation(6, 320, 240, seed=1).depth)
    points = rigid.apply(seen.world_from_camera, seen.camera.cloud(seen.depth).reshape(-1, 3).astype(float))
    beside = np.ones((240, 320), dtype=bool)
    for detection in seen.detections:
        x0, y0, x1, y1 = (int(v) for v in detection.box)
        beside[y0:y1, x0:x1] = False
    table = points[(beside & (seen.depth > 0)).reshape(-1)]
    assert np.percentile(np.abs(table[:, 2]), 99) < 0.01


def test_its_boxes_are_measured():
    scene = SceneEngine().process(synthetic_observation())
    assert len(scene.objects) == 10
    for item in scene.objects:
        assert 0.04 < item.height < 0.20
