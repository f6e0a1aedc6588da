"""Objects at rest: nothing floats, nothing sinks in, and the same seed rests the same."""

import numpy as np
import pytest

from joyai_ros.errors import PoseError
from joyai_ros.geometry import rigid
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.shapes import KINDS, shape_of
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1
from joyai_ros.sim.truth import world_truth
from joyai_ros.sim.world import World, object_shape

SEEDS = range(20)


@pytest.fixture(scope="module")
def worlds():
    return [World(describe(seed)) for seed in SEEDS]


def test_the_same_seed_rests_in_the_same_poses(worlds):
    again = World(describe(3))
    for first, second in zip(worlds[3].poses(), again.poses(), strict=True):
        assert np.abs(first - second).max() < 1e-9


def test_everything_stands_where_it_was_put(worlds):
    for world in worlds:
        truth = world_truth(world)
        for described, found in zip(world.objects, truth.objects, strict=True):
            how, _, partner = described.placed.partition(":")
            expected = partner if how in ("on", "in") else "table"
            assert found.stands_on == expected, (world.description.seed, described.id)
            assert found.inside == (partner if how == "in" else ""), (world.description.seed, described.id)


def test_nothing_floats_and_nothing_sinks_in(worlds):
    for world in worlds:
        truth = world_truth(world)
        assert truth.distances.min() > -0.0003
        for index, found in enumerate(truth.objects):
            pair = {found.id, found.stands_on}
            assert any(set(contact) == pair for contact in truth.contacts), found
            lowest = world.vertices(index)[:, 2].min()
            assert lowest > world.description.table.height - 0.0003
            if found.stands_on == "table":
                assert lowest < world.description.table.height + 0.0003


def test_standing_things_move_only_the_last_fraction_of_a_millimetre(worlds):
    for world in worlds:
        for index, described in enumerate(world.objects):
            pushed = any(other.placed == f"in:{described.id}" for other in world.objects)  # by what fell into it
            if not pushed and not described.placed.startswith("in:"):
                moved = world.pose(index)[:3, 3] - np.array(described.position)
                start = rigid.matrix_from_quaternion(np.array(described.quaternion))
                tilt = rigid.rotation_angle(start.T @ world.pose(index)[:3, :3])
                assert np.linalg.norm(moved) < 0.004
                assert tilt < np.radians(2.0)


def test_what_rests_stays_at_rest():
    world = World(describe(1))
    before = world.poses()
    world.settle(0.5)
    for first, second in zip(before, world.poses(), strict=True):
        assert np.linalg.norm(first[:3, 3] - second[:3, 3]) < 0.001


def test_an_object_is_put_where_it_is_told_and_falls_when_let_go():
    world = World(describe(0))
    pose = world.pose(0)
    lifted = pose.copy()
    lifted[2, 3] += 0.05
    world.place(0, lifted)
    assert np.allclose(world.pose(0), lifted, atol=1e-9)
    assert world_truth(world).objects[0].stands_on == ""
    world.settle()
    assert world.pose(0)[2, 3] == pytest.approx(pose[2, 3], abs=0.001)
    with pytest.raises(PoseError):
        world.place(0, np.ones((4, 4)))


def test_what_falls_off_the_table_lands_on_the_floor():
    world = World(describe(0))
    pose = world.pose(0)
    pose[:3, 3] = [2.0, 0.0, 0.1]
    world.place(0, pose)
    world.settle()
    assert world_truth(world).objects[0].stands_on == "floor"
    assert world.vertices(0)[:, 2].min() == pytest.approx(0.0, abs=0.0005)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_and_what_touches_agree(kind):
    """Support functions of the drawn surface and of the collision parts differ by less than a millimetre and a half."""
    ranges = dict(TABLETOP_V1.kinds)[kind]
    for end in (0, 1):
        sizes = {name: bounds[end] for name, bounds in ranges.dimensions}
        if kind == "bottle":
            sizes["shoulder_height"] += sizes["body_height"]
            sizes["height"] += sizes["shoulder_height"]
        shape = shape_of(kind, tuple(sizes.items()))
        points = _part_points(shape)
        random = np.random.default_rng(5)
        directions = random.standard_normal((200, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        seen = (directions @ shape.surface.vertices.T).max(axis=1)
        touching = (directions @ points.T).max(axis=1)
        assert np.abs(seen - touching).max() < 0.0015


def _part_points(shape):
    """Points on the hull of every collision part."""
    angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    latitudes = np.linspace(-np.pi / 2, np.pi / 2, 65)
    ball = np.concatenate([np.column_stack([np.cos(t) * circle, np.full(128, np.sin(t))]) for t in latitudes])
    clouds = []
    for part in shape.parts:
        if part.type == "box":
            local = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * part.size
        elif part.type == "cylinder":
            local = np.concatenate(
                [np.column_stack([part.size[0] * circle, np.full(128, s * part.size[1])]) for s in (-1, 1)]
            )
        elif part.type == "hull":
            local = np.array(part.points)
        elif part.type == "sphere":
            local = part.size[0] * ball
        else:
            local = part.size[0] * ball + np.where(ball[:, 2:] > 0, 1, -1) * np.array([0, 0, part.size[1]])
        rotation = np.eye(3) if part.rotation is None else part.rotation
        clouds.append(local @ rotation.T + np.array(part.position))
    return np.concatenate(clouds)


def test_normals_point_outward():
    """The volume under closed surfaces is positive, and each normal agrees with its triangles."""
    for seed in (1, 3, 7):
        for described in describe(seed).objects:
            surface = object_shape(described).surface
            corners = surface.vertices[surface.faces]
            flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            area = np.linalg.norm(flat, axis=1)
            shading = surface.normals[surface.faces].mean(axis=1)
            agreement = (flat * shading).sum(axis=1)[area > 1e-12] / area[area > 1e-12]
            assert (agreement > 0.5).all(), described.id
            assert np.einsum("ij,ij->i", corners[:, 0], flat).sum() > 0
