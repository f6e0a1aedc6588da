"""Two views: how the camera moved, and which object is which."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.geometry import rigid
from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.camera_checks import main_direction
from joyai_ros.reasoning.compare import fields_from_pose, pose_from_fields
from joyai_ros.reasoning.question import Question
from joyai_ros.scene.types import Status
from tests.reasoning.table import Model, table

ASIDE = (0.35, -0.85, 0.6)


def ask(task, objects=(), eye=ASIDE, model=None, second=None):
    looks = [table(), second or table(eye=eye)]
    return Asker(model).ask(Question("?", task, objects=objects), looks)


@pytest.mark.parametrize(
    ("eye", "moved"),
    [
        ((0.35, -0.9, 0.6), "right"),
        ((-0.35, -0.9, 0.6), "left"),
        ((0.0, -0.9 - 0.25, 0.6 + 0.25 * 0.55 / 0.9), "backward"),
        ((0.0, -0.9, 0.6), "not at all"),
    ],
)
def test_the_way_of_the_camera(eye, moved):
    assert ask("camera_motion", eye=eye).choice == moved


@pytest.mark.parametrize(
    ("right", "turn", "moved"), [(-0.01, 0.3, "turned right"), (-0.18, 0.3, "left"), (0.2, 0.0, "right")]
)
def test_a_turn_counts_beyond_what_keeps_the_scene_in_sight(right, turn, moved):
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    pose[0, 3] = right
    assert main_direction(pose, 0.6) == moved


def test_the_pose_between_two_views():
    first, second = table().observation, table(eye=ASIDE).observation
    expected = rigid.inverse(first.world_from_camera) @ second.world_from_camera
    np.testing.assert_allclose(ask("camera_pose").pose, expected)


@given(
    st.tuples(*[st.floats(-80, 80)] * 3),
    st.tuples(*[st.floats(-5, 5)] * 3),
)
def test_poses_are_read_as_documented(angles, way):
    names = ("yaw_deg", "pitch_deg", "roll_deg", "right_m", "up_m", "forward_m")
    pose = pose_from_fields(dict(zip(names, (*angles, *way), strict=True)))
    np.testing.assert_allclose(pose[:3, 3], (way[0], -way[1], way[2]))
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    sight = pose[:3, 2]  # of the second camera, in the first one's frame
    assert np.sign(sight[0]) == pytest.approx(np.sign(angles[0])) or abs(angles[0]) < 1e-6
    assert np.arcsin(np.clip(-sight[1], -1, 1)) == pytest.approx(np.radians(angles[1]), abs=1e-6)


def test_a_models_pose_is_held_against_tf():
    first, second = table().observation, table(eye=ASIDE).observation
    pose = rigid.inverse(first.world_from_camera) @ second.world_from_camera
    yaw, pitch = np.degrees([np.arctan2(pose[0, 2], pose[2, 2]), np.arcsin(-pose[1, 2])])
    roll = np.degrees(np.arctan2(pose[1, 0], pose[1, 1]))
    fields = {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll}
    right = {"right_m": pose[0, 3], "up_m": -pose[1, 3], "forward_m": pose[2, 3]}
    good = ask("camera_pose", model=Model([json.dumps({**fields, **right})]))
    assert good.status is Status.AGREE
    wrong = ask("camera_pose", model=Model([json.dumps({**fields, "yaw_deg": -yaw, **right})]))
    assert wrong.status is Status.CONTRADICT
    np.testing.assert_allclose(wrong.pose, pose)  # geometry's, by the default policy


@pytest.mark.parametrize("name", ["mug", "box", "can"])
def test_an_object_is_found_again(name):
    candidates = ("mug", "box", "can")
    assert ask("correspondence", (name, *candidates)).choice == name
    assert [ask("reidentification", (name, other)).choice for other in candidates] == [
        "yes" if other == name else "no" for other in candidates
    ]


def test_measurements_across_views_are_those_of_one_view():
    near = Asker().ask(Question("?", "object_distance", objects=("mug", "box")), [table()])
    across = ask("cross_view_distance", ("mug", "box"))
    assert across.value == pytest.approx(near.value, abs=0.01)
    assert ask("cross_view_size", ("mug", "box")).choice == "box"
    assert ask("cross_view_position", ("mug", "box")).choice == "left"


def test_without_poses_nothing_is_compared():
    look = table(eye=ASIDE)
    lost = replace(look, observation=replace(look.observation, world_from_camera=None))
    other = replace(look, observation=replace(look.observation, world_frame="elsewhere"))
    for second in (lost, other):
        for task, objects in (("camera_pose", ()), ("camera_motion", ()), ("cross_view_distance", ("mug", "box"))):
            answer = ask(task, objects, second=second)
            assert (answer.pose, answer.value, answer.choice) == (None, None, "")


def test_the_fields_of_a_pose_say_the_same_pose():
    random = np.random.default_rng(0)
    for yaw, pitch, roll in random.uniform((-180, -89, -180), (180, 89, 180), (50, 3)):
        fields = {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll, "right_m": 1.0, "up_m": -2.0, "forward_m": 0.5}
        said = fields_from_pose(pose_from_fields(fields))
        assert all(abs(said[name] - value) <= 0.051 for name, value in fields.items())
