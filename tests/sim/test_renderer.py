"""Drawn pictures agree with the camera model: where a point lies, how far it is, what it belongs to."""

from dataclasses import replace

import numpy as np
import pytest

from joyai_ros.errors import CameraError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.sim.distribution import camera_pose, describe, look_at
from joyai_ros.sim.renderer import Renderer
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.world import World


def test_silhouettes_lie_where_their_points_project(sims):
    """The first and last covered pixel follow from the projected extent: a pixel counts where its centre is covered."""
    gaps = []
    for sim in sims:
        camera_from_world = rigid.inverse(sim.world_from_camera)
        for index, view in enumerate(sim.truth().views):
            if view.truncated:
                continue
            pixels = sim.camera.project(rigid.apply(camera_from_world, sim.world.vertices(index)))
            low, high = pixels.min(axis=0), pixels.max(axis=0)
            box = np.array(view.whole_box)
            first, last = box[:2] - low, high - (box[2:] - 1)
            gaps.append([*first, *last])
    gaps = np.array(gaps)
    assert len(gaps) > 10
    # Thin tips may slip between pixel centres, hence more than one pixel here and there.
    assert gaps.min() > -0.1 and np.quantile(gaps, 0.95) < 1.0 and gaps.max() < 2.0
    # Left against right and top against bottom: half a pixel each, if pixel centres are where the camera says.
    assert np.abs(gaps.mean(axis=0) - 0.5).max() < 0.2


def test_depth_of_the_table_is_its_plane(sims):
    for sim in sims:
        seen = sim.render_depth()
        points = rigid.apply(sim.world_from_camera, sim.camera.cloud(seen.depth).astype(np.float64))
        heights = points[..., 2][seen.instances == 255] - sim.description.table.height
        top = np.abs(heights) < 0.002  # the edge and the legs belong to the table too
        assert top.mean() > 0.5
        assert np.quantile(np.abs(heights[top]), 0.99) < 2e-5  # what is left is the edge's uppermost pixel


def test_depth_of_a_box_is_where_its_rays_meet_it():
    with TabletopSim(5) as sim:
        truth = sim.truth()
        index = next(i for i, o in enumerate(sim.description.objects) if o.kind == "box")
        box = truth.world.objects[index].box
        rows, columns = np.nonzero(truth.instances == index + 1)
        rays = truth.camera.rays()[rows, columns].astype(np.float64)
        origin = box.local(truth.world_from_camera[:3, 3])
        directions = rays @ (box.rotation.T @ truth.world_from_camera[:3, :3]).T
        near = np.minimum((-box.size / 2 - origin) / directions, (box.size / 2 - origin) / directions).max(axis=1)
        assert len(rows) > 1000
        assert np.abs(truth.depth[rows, columns] - near).max() < 1e-3  # it tilts by some hundredths of a degree
        assert np.median(np.abs(truth.depth[rows, columns] - near)) < 1e-4


def test_the_principal_point_moves_the_picture(sims):
    """A camera with another principal point sees a part of what a larger one sees, pixel for pixel."""
    sim = sims[1]
    wide = Camera(960, 720, 500.0, 505.0, 479.5, 359.5)
    part = wide.cropped(100, 37, 640, 480)
    whole = sim.render_depth(camera=wide)
    cut = sim.render_depth(camera=part)
    same = cut.instances == whole.instances[37:517, 100:740]
    assert same.mean() > 0.999
    assert np.abs(cut.depth - whole.depth[37:517, 100:740])[same].max() < 0.02


def test_the_same_seed_draws_the_same_pixels():
    pictures = []
    for _ in range(2):
        with TabletopSim(4) as sim:
            pictures.append((sim.render(), sim.render_depth()))
    assert np.array_equal(pictures[0][0], pictures[1][0])
    assert np.array_equal(pictures[0][1].depth, pictures[1][1].depth)
    assert np.array_equal(pictures[0][1].instances, pictures[1][1].instances)


def test_two_worlds_drawn_in_turn_do_not_mix(sims):
    before = [sim.render() for sim in sims[:2]]
    after = [sim.render() for sim in reversed(sims[:2])]
    assert np.array_equal(before[0], after[1])
    assert np.array_equal(before[1], after[0])
    assert not np.array_equal(before[0], before[1])


def test_colours_look_like_their_names():
    """The brightest channel of a plain red thing is red, of a green one green, and so on."""
    strongest = {"red": 0, "green": 1, "blue": 2}
    checked = 0
    for seed in (0, 3, 6):
        with TabletopSim(seed) as sim:
            truth = sim.truth(whole=False)
        for index, described in enumerate(sim.description.objects):
            mask = truth.instances == index + 1
            if described.color in strongest and mask.sum() > 500:
                assert np.argmax(np.median(truth.color[mask], axis=0)) == strongest[described.color]
                checked += 1
    assert checked > 3


def test_no_depth_where_nothing_is():
    with TabletopSim(0) as sim:
        up = look_at(np.array([0.0, 0.0, 5.0]), np.array([0.5, 0.0, 9.0]))
        seen = sim.render_depth(up)
    assert not seen.depth.any() and not seen.instances.any()


def test_unusable_cameras_are_refused(sims):
    lens = replace(sims[0].camera, distortion=Distortion.PLUMB_BOB, coefficients=(0.1, 0.0, 0.0, 0.0))
    with pytest.raises(CameraError, match="undistorted"):
        sims[0].render(camera=lens)
    with pytest.raises(CameraError, match="1280x960"):
        sims[0].render(camera=Camera(1920, 1080, 900.0, 900.0, 960.0, 540.0))


def test_a_renderer_closes_twice():
    world = World(describe(0))
    with Renderer(world) as renderer:
        assert renderer.color(world.description.view.camera, camera_pose(world.description.view)).any()
    renderer.close()
