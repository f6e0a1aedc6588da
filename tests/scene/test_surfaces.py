"""Gravity, support planes and normals from one depth image of known surfaces."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.raycast import Ball, Block
from joyai_ros.geometry import rigid
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.frame import frame_geometry
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.oriented import oriented_cloud
from joyai_ros.scene.support import is_over
from joyai_ros.scene.up import up_from_cloud
from tests.scene.layouts import lengths
from tests.scene.stage import NOISE, SMALL, TABLE, block, shoot

FLOOR = [Block((0.0, 0.0, -0.05), (6.0, 6.0, 0.1))]


def angle(one, other):
    return math.degrees(math.acos(min(float(one @ other), 1.0)))


def cloud_of(shot):
    return oriented_cloud(shot.observation.depth, shot.observation.camera)


def planes_of(shot):
    return frame_geometry(shot.observation, SceneConfig()).planes


@pytest.mark.parametrize("elevation", [25.0, 35.0, 50.0, 65.0])
@pytest.mark.parametrize("roll", [0.0, 0.25, -0.4])
def test_up_is_found_wherever_the_camera_looks_down_from(elevation, roll):
    back = np.array([0.0, -math.cos(math.radians(elevation)), math.sin(math.radians(elevation))])
    shot = shoot(
        {"box": block(0.1, 0.0, (0.2, 0.1, 0.2))},
        camera=SMALL,
        eye=1.1 * back,
        target=(0, 0, 0),
        roll=roll,
        noise=NOISE,
    )
    assert angle(up_from_cloud(cloud_of(shot)), shot.pose[2, :3]) < 1.0


def test_a_wall_ahead_is_not_the_floor():
    """A large wall and a strip of floor below it: the wall's normal is not one of an upright camera's up."""
    wall = Block((0.0, 1.2, 1.0), (4.0, 0.1, 4.0))
    shot = shoot({}, camera=SMALL, table=[*FLOOR, wall], eye=(0.0, -0.4, 0.7), target=(0.0, 1.2, 0.35))
    assert angle(up_from_cloud(cloud_of(shot)), shot.pose[2, :3]) < 1.0
    bare = shoot({}, camera=SMALL, table=[wall], eye=(0.0, -0.4, 0.7), target=(0.0, 1.2, 0.7))
    assert up_from_cloud(cloud_of(bare)) is None


def test_round_things_have_no_up():
    shot = shoot({"ball": [Ball((0.0, 0.0, 0.1), 0.12)]}, camera=SMALL, table=[])
    assert up_from_cloud(cloud_of(shot)) is None
    nothing = np.zeros(SMALL.shape, np.float32)
    assert up_from_cloud(oriented_cloud(nothing, SMALL)) is None


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_normals_areas_and_points(noise):
    """The samples' normals are those of the table, and their areas add up to what is seen of it."""
    table = [Block((0.0, 0.0, -0.05), (0.6, 0.5, 0.1))]
    cloud = cloud_of(shoot({}, table=table, eye=(0.0, -0.7, 0.8), target=(0, 0, 0), noise=noise))
    shot = shoot({}, table=table, eye=(0.0, -0.7, 0.8), target=(0, 0, 0))
    level = cloud.valid & (cloud.normals @ shot.pose[2, :3] > 0.9)
    off = np.degrees(np.arccos(np.clip(cloud.normals[level] @ shot.pose[2, :3], -1, 1)))
    assert np.median(off) < (0.05 if noise == 0.0 else 8.0)
    # Samples whose window reaches over the edge have no normal: a border of two samples is left out.
    assert 0.80 * 0.3 < cloud.area[level].sum() < 1.02 * 0.3
    heights = rigid.apply(shot.pose, cloud.points[level].astype(np.float64))[:, 2]
    assert np.abs(heights).max() < (1e-4 if noise == 0.0 else 0.02)
    assert (cloud.area[~cloud.valid] == 0).all()
    assert (cloud.normals[~cloud.valid] == 0).all()


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_a_table_is_one_plane_with_its_outline(noise):
    shot = shoot({"a": block(0.1, 0.0, (0.2, 0.15, 0.2)), "b": block(-0.25, 0.1, (0.1, 0.1, 0.1))}, noise=noise)
    (plane,) = planes_of(shot)
    assert angle(plane.normal, shot.pose[2, :3]) < (0.02 if noise == 0.0 else 0.2)
    assert plane.offset == pytest.approx(shot.pose[2, 3], abs=2e-4 if noise == 0.0 else 1e-3)
    np.testing.assert_allclose(plane.polygon @ plane.normal + plane.offset, 0.0, atol=1e-6)
    world = rigid.apply(shot.pose, plane.polygon)
    assert np.abs(world[:, 0]).max() < 0.72
    assert 0.5 < world[:, 1].max() < 0.61  # its far edge, less the two samples that a normal takes
    assert plane.points > 5000
    assert plane.sigma < 0.001


@pytest.mark.parametrize("height", [0.08, 0.3, 0.6])
def test_two_surfaces_at_two_heights(height):
    step = Block((0.45, 0.3, height / 2), (0.6, 0.7, height))
    shot = shoot({}, table=[*FLOOR, step], eye=(0.0, -1.2, 1.3), target=(0.15, 0.1, 0.1), noise=NOISE)
    found = sorted(shot.pose[2, 3] - plane.offset for plane in planes_of(shot))
    assert np.allclose(found, [0.0, height], atol=0.003)


def test_the_top_of_a_box_is_no_furniture():
    shot = shoot({"book": block(0.0, 0.0, (0.25, 0.18, 0.04)), "crate": block(0.35, 0.1, (0.3, 0.25, 0.2))})
    assert len(planes_of(shot)) == 1


def test_two_tables_at_nearly_one_height_are_two_planes():
    tables = [Block((-0.75, 0.0, -0.05), (0.8, 1.0, 0.1)), Block((0.75, 0.0, -0.038), (0.8, 1.0, 0.1))]
    shot = shoot({}, table=tables, eye=(0.0, -1.3, 1.2), target=(0, 0, 0))
    found = sorted(shot.pose[2, 3] - plane.offset for plane in planes_of(shot))
    assert np.allclose(found, [0.0, 0.012], atol=0.003)


def test_a_leaning_table_is_still_one():
    """Gravity is known to a few degrees only: a table that leans by three is a support plane with its own normal."""
    shot = shoot({}, table=TABLE)
    tilt = rigid.axis_angle(np.array([1.0, 0.0, 0.0]), math.radians(3.0))
    observation = replace(shot.observation, up=tilt @ shot.pose[2, :3])
    (plane,) = frame_geometry(observation, SceneConfig()).planes
    assert angle(plane.normal, shot.pose[2, :3]) < 0.2
    steep = rigid.axis_angle(np.array([1.0, 0.0, 0.0]), math.radians(25.0))
    assert frame_geometry(replace(shot.observation, up=steep @ shot.pose[2, :3]), SceneConfig()).planes == []


def test_over_a_plane_means_over_its_outline():
    shot = shoot({})
    (plane,) = planes_of(shot)
    inverse = rigid.inverse(shot.pose)
    for place, over in (((0, 0, 0.3), True), ((0.0, 0.62, 0.1), True), ((0.0, 0.9, 0.1), False), ((2.0, 0, 0), False)):
        assert is_over(rigid.apply(inverse, np.array(place, dtype=float)), plane) is over


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_the_noise_model_is_scaled_to_what_the_table_shows(factor):
    quiet = shoot({}, noise=0.0)
    model = SceneConfig().depth_noise.sigma(quiet.observation.depth, SMALL.fx)
    random = np.random.default_rng(0)
    noisy = quiet.observation.depth + factor * model * random.normal(size=model.shape)
    frame = frame_geometry(replace(quiet.observation, depth=noisy.astype(np.float32)), SceneConfig())
    there = frame.depth > 0
    assert np.median(frame.sigma_z[there] / model[there]) == pytest.approx(factor, rel=0.2)


@settings(max_examples=100)
@given(st.tuples(*[lengths(-1.0, 1.0)] * 3))
def test_the_levelled_frame(direction):
    if np.linalg.norm(direction) < 1e-3:
        return
    up = rigid.unit(np.array(direction))
    basis = level_basis(up)
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(basis) == pytest.approx(1.0)
    np.testing.assert_allclose(basis @ up, (0, 0, 1), atol=1e-9)
    ahead = basis @ (0.0, 0.0, 1.0)  # the optical axis: never sideways, never backwards
    assert abs(ahead[0]) < 1e-3
    assert ahead[1] > -1e-9
