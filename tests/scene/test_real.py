"""Real frames of YCB objects on tables: heights and relations as they truly are, with boxes and without."""

from dataclasses import replace

import pytest

from benchmarks import scene_ycb
from benchmarks.scene_checks import complaints
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import UpSource


@pytest.fixture(scope="module")
def frames(data_dir):
    return scene_ycb.read_frames(data_dir / "ycb_tabletop")


@pytest.fixture(scope="module")
def scores(frames):
    return [scene_ycb.score(frame) for frame in frames]


def test_every_listed_height_is_measured(scores):
    heights = [height for score in scores for height in score.heights]
    assert len(heights) == 10
    wrong = [f"{h.frame} {h.object}: {h.measured:.3f} m, true {h.true:.3f} m" for h in heights if not h.within(0.08)]
    assert wrong == []


def test_every_listed_relation_is_stated_in_its_frame_and_none_contradicted(scores):
    claims = [claim for score in scores for claim in score.claims]
    assert len(claims) == 21
    assert [(c.frame, c.statement) for c in claims if not c.stated or c.contradicted] == []


def test_most_objects_are_found_unasked_as_one_cluster_each(scores):
    assert sum(score.objects for score in scores) == 13
    assert sum(len(score.found) for score in scores) >= 9
    for score in scores:
        assert len(set(score.found.values())) == len(score.found)


def test_the_scenes_are_sound(scores):
    for score in scores:
        for scene in (score.scene, score.unasked):
            assert complaints(scene) == []
            assert scene.up_source is UpSource.CLOUD
            assert len(scene.support_planes) >= 1
        assert score.scene.rejected == ()


@pytest.mark.parametrize("jitter", [-3.0, 3.0])
def test_boxes_need_not_be_exact(frames, jitter):
    """A detector's boxes, three pixels larger or smaller on each side, say the same."""
    for frame in frames:
        height, width = frame.observation.camera.shape
        found = []
        for detection in frame.observation.detections:
            x0, y0, x1, y1 = detection.box
            box = max(x0 - jitter, 0.0), max(y0 - jitter, 0.0), min(x1 + jitter, width), min(y1 + jitter, height)
            found.append(replace(detection, box=box))
        score = scene_ycb.score(replace(frame, observation=replace(frame.observation, detections=tuple(found))))
        assert not any(claim.contradicted for claim in score.claims)
        assert all(height.within(0.12) for height in score.heights)


def test_frames_of_one_engine_do_not_mix(frames, scores):
    """Three unrelated frames one after the other: objects of an earlier frame do not stay in the later ones."""
    engine = SceneEngine()
    for number, frame in enumerate(frames):
        scene = engine.process(replace(frame.observation, stamp=(number + 1) * 10**9))
        assert complaints(scene) == []
        assert len(scene.objects) == len(scores[number].scene.objects)
