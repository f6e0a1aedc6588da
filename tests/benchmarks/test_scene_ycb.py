import json
import sys
from dataclasses import replace

import pytest

from benchmarks import scene_ycb
from joyai_ros.scene.predicates import frame_of
from joyai_ros.scene.types import Frame, Scene, SpatialRelation


@pytest.fixture(scope="module")
def folder(data_dir):
    return data_dir / "ycb_tabletop"


@pytest.fixture(scope="module")
def frames(folder):
    return scene_ycb.read_frames(folder)


def test_the_recording_is_read_whole(frames):
    assert [len(frame.observation.detections) for frame in frames] == [5, 3, 5]
    assert sum(len(frame.heights) for frame in frames) == 10
    assert sum(len(frame.relations) for frame in frames) == 21


def test_real_objects_are_measured(frames):
    found = scene_ycb.score(frames[1])
    assert {height.object for height in found.heights} == {"spam", "soup", "bowl"}
    assert all(height.within(0.1) for height in found.heights)
    assert all(claim.stated and not claim.contradicted for claim in found.claims)
    assert len(set(found.found.values())) == len(found.found) >= 2


def test_heights_are_held_against_a_share_or_millimetres():
    def height(measured, true):
        return scene_ycb.Height("f", "o", measured, 0.001, true)

    assert height(0.2119, 0.2).within(0.06)
    assert not height(0.2121, 0.2).within(0.06)
    assert height(0.0359, 0.03).within(0.06)
    assert not height(0.0361, 0.03).within(0.06)
    assert height(0.0379, 0.03).within(0.08)
    assert not height(float("nan"), 0.2).within(0.08)


def test_a_converse_contradicts_and_another_frame_states_nothing(frames):
    subject, predicate, other = frames[0].relations[0]
    assert predicate == "left_of"
    scene = Scene(stamp=0, frame_id="camera")

    def claims(*relations):
        return scene_ycb._claim("f", (subject, predicate, other), replace(scene, relations=relations))

    stated = SpatialRelation(subject, predicate, (other,), frame=frame_of(predicate))
    assert claims(stated).stated
    assert not claims(stated._replace(frame=Frame.WORLD)).stated
    against = claims(stated._replace(predicate="right_of"))
    assert against.contradicted
    assert not against.stated


def test_the_command_prints_writes_and_draws(folder, tmp_path, monkeypatch, capsys):
    figures, picture = tmp_path / "figures.json", tmp_path / "picture.png"
    arguments = ["scene_ycb", "--data", str(folder), "--json", str(figures), "--picture", str(picture)]
    monkeypatch.setattr(sys, "argv", arguments)
    scene_ycb.main()
    assert set(json.loads(figures.read_text())["000003"]["heights_m"]) == {"spam", "soup", "bowl"}
    assert picture.stat().st_size > 10000
    assert "YCB relations stated" in capsys.readouterr().out


def test_evidence_says_where_the_recording_is_missing(tmp_path, monkeypatch, data_dir):
    monkeypatch.setattr(scene_ycb, "DATA", tmp_path / "nowhere")
    (line,) = scene_ycb.evidence()
    assert line["ok"] is None
    monkeypatch.setattr(scene_ycb, "DATA", data_dir / "ycb_tabletop")
    assert [line["ok"] in (True, False) for line in scene_ycb.evidence()] == [True] * 5
