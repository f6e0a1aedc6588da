import json
import sys

import numpy as np
import pytest

from benchmarks import scene_speed
from benchmarks.scene_speed import ENGINE, SEQUENCE, Found, Timing, box_iou
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.training.evaluation.scene_scores import look

TEN = 6006  # a scene of ten objects


def box(center, size, heading=0.0):
    cosine, sine = np.cos(heading), np.sin(heading)
    return OrientedBox(
        np.array(center), np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]), np.array(size)
    )


def library():
    found = scene_speed.open3d_scene()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def test_overlap_of_any_boxes_agrees_with_that_of_upright_ones():
    first = box([0.01, 0.02, 0.03], [0.2, 0.1, 0.15])
    for second in (box([0.03, 0.0, 0.0], [0.15, 0.12, 0.1], 0.4), box([0.1, 0.05, 0.02], [0.1, 0.1, 0.1], 0.8), first):
        assert box_iou(second, first, samples=60) == pytest.approx(upright_iou(first, second), abs=0.01)
    assert box_iou(box([1.0, 0.0, 0.0], [0.1, 0.1, 0.1]), first) == 0.0


def test_what_is_found_is_scored_with_misses_as_nothing():
    pytest.importorskip("mujoco")
    truth = look(TEN).truth
    visible = [view for view in truth.views if view.visible_fraction >= 0.3]
    known = [Found(view.id, view.camera_box, view.box) for view in truth.views][1:]
    scored = list(scene_speed._ious(truth, known, "true"))
    assert len(scored) == len(visible)
    assert sum(value < 0.99 for value in scored) == (truth.views[0] in visible)
    unknown = [Found(f"cluster_{n}", item.box, item.image_box) for n, item in enumerate(known)]
    assert list(scene_speed._ious(truth, unknown, "none")) == scored
    assert not any(scene_speed._ious(truth, [], "none"))


def test_open3d_finds_objects():
    pytest.importorskip("mujoco")
    module, seen = library(), look(TEN)
    for boxes in ("true", "none"):
        found = module.find_objects(seen.observations[boxes], module.Open3dSettings())
        ious = list(scene_speed._ious(seen.truth, found, boxes))
        assert max(ious) > 0.4
        assert sum(value > 0.1 for value in ious) >= 3


def test_the_command_times_the_engine_alone_and_in_a_sequence(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mujoco")
    path = tmp_path / "speed.json"
    few = ["--frames", "1", "--repeats", "1", "--sweep", "3", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["scene_speed", "--seeds", f"{TEN}:{TEN + 1}", *few])
    scene_speed.main()
    figures = json.loads(path.read_text())
    assert set(figures) == {"true", "none"}
    assert figures["true"][ENGINE]["cpu_ms"] > 0
    assert figures["true"][SEQUENCE]["wall_ms"] > 0
    assert len(figures["none"][ENGINE]["ious"]) == len(figures["true"][ENGINE]["ious"])
    assert ENGINE in capsys.readouterr().out


def test_seeds_without_a_full_table_are_refused():
    pytest.importorskip("mujoco")
    with pytest.raises(ValueError, match="give more seeds"):
        scene_speed._measure(range(6000, 6001), 1, 1, 1)


def test_evidence_holds_the_engine_against_the_faster_comparison(monkeypatch):
    theirs = {
        scene_speed.open3d_name(v): Timing(c, c, (0.3,))
        for v, c in zip(scene_speed.VOXELS, (140.0, 300.0), strict=True)
    }
    timings = {boxes: {ENGINE: Timing(25.0, 40.0, (0.5, 0.7)), **theirs} for boxes in ("true", "none")}
    timings["true"][SEQUENCE] = Timing(31.0, 33.0)
    monkeypatch.setattr(scene_speed, "measure", lambda seeds: timings)
    monkeypatch.setattr(scene_speed, "open3d_scene", lambda: scene_speed)
    lines = scene_speed.evidence()
    assert [line["ok"] for line in lines] == [True, True, False, True, True, True, True]
    assert "5.6x at 5 mm, 12.0x at 3 mm" in lines[3]["figure"]
    monkeypatch.setattr(scene_speed, "open3d_scene", lambda: "Open3D cannot be loaded")
    assert [line["ok"] for line in scene_speed.evidence()] == [True, True, False, None]
