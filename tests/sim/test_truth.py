"""What the simulator calls true, against what it draws and against geometry done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.geometry import rigid
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.truth import upright_box

Z = np.array([0.0, 0.0, 1.0])


def test_every_drawn_point_lies_in_its_box(sims):
    for sim in sims:
        truth = sim.truth(whole=False)
        cloud = truth.camera.cloud(truth.depth).astype(np.float64)
        for index, view in enumerate(truth.views):
            points = cloud[truth.instances == index + 1]
            assert view.camera_box.contains(points, margin=0.002).all(), view.id


def test_boxes_stand_upright_and_tight(sims):
    for sim in sims:
        truth = sim.truth(whole=False)
        for index, found in enumerate(truth.world.objects):
            box, points = found.box, sim.world.vertices(index)
            assert np.allclose(box.rotation[:, 2], Z)
            assert box.size[0] >= box.size[1]
            local = box.local(points)
            assert np.allclose(local.max(axis=0), box.size / 2, atol=1e-9)
            assert np.allclose(local.min(axis=0), -box.size / 2, atol=1e-9)
            assert np.allclose(truth.views[index].camera_box.rotation[:, 2], truth.up)


@given(seed=st.integers(0, 10_000), count=st.integers(4, 40))
def test_the_upright_box_is_the_smallest_of_all_headings(seed, count):
    points = np.random.default_rng(seed).normal(size=(count, 3)) * [0.3, 0.1, 0.2]
    box = upright_box(points)
    assert box.contains(points, margin=1e-9).all()
    area = box.size[0] * box.size[1]
    for angle in np.linspace(0, np.pi / 2, 91):
        turned = points[:, :2] @ rigid.axis_angle(Z, angle)[:2, :2]
        assert area <= np.prod(np.ptp(turned, axis=0)) + 1e-12


def test_a_known_box_has_its_own_size():
    scene = describe(5)
    described = next(o for o in scene.objects if o.kind == "box")
    with TabletopSim(scene) as sim:
        box = sim.world_truth().object(described.id).box
    sizes = dict(described.dimensions)
    assert np.allclose(box.size, [sizes["length"], sizes["width"], sizes["height"]], atol=2e-4)
    assert np.allclose(box.center[:2], described.position[:2], atol=5e-4)


def test_visible_fractions(sims):
    for sim in sims:
        truth = sim.truth()
        for view in truth.views:
            mask = truth.mask(view.id)
            assert mask.sum() == view.visible_pixels
            assert 0.0 <= view.visible_fraction <= 1.0
            if view.box is not None:
                rows, columns = np.nonzero(mask)
                assert view.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                assert view.whole_box[0] <= view.box[0] and view.whole_box[3] >= view.box[3]


def test_what_is_hidden_counts_as_hidden():
    """A thing carried behind a tall box disappears; carried to the image border it is cut."""
    with TabletopSim(5) as sim:
        tall = next(o for o in sim.description.objects if o.kind == "bottle")
        small = next(o for o in sim.description.objects if o.kind == "cylinder")
        assert sim.truth().view(small.id).visible_fraction == 1.0
        start = sim.object_pose(small.id)
        eye = sim.world_from_camera[:3, 3]
        away = sim.object_pose(tall.id)[:3, 3] - eye
        behind = start.copy()
        behind[:3, 3] = eye + 1.25 * away
        sim.move_object(small.id, behind)
        hidden = sim.truth().view(small.id)
        assert hidden.visible_fraction < 0.5
        assert hidden.whole_pixels > 100
        edge = start.copy()
        ray = sim.camera.unproject(np.array([0.0, 240.0]), np.array(0.6))
        edge[:3, 3] = rigid.apply(sim.world_from_camera, ray)
        sim.move_object(small.id, edge)
        cut = sim.truth().view(small.id)
        assert cut.truncated and 0.2 < cut.visible_fraction < 0.8
        assert cut.box[0] == 0 and cut.whole_box[0] < 0


def test_fractions_are_left_out_where_they_are_not_asked_for(sims):
    view = sims[0].truth(whole=False).views[0]
    assert np.isnan(view.visible_fraction) and view.whole_pixels == -1 and view.whole_box is None


def test_distances_are_between_closest_points():
    """Two boxes face to face, a known gap apart."""
    scene = describe(5)
    box = next(o for o in scene.objects if o.kind == "box")
    other = replace(box, id="box_2")
    with TabletopSim(replace(scene, objects=(box, other))) as sim:
        pose = sim.object_pose("box_1")
        apart = pose.copy()
        apart[:3, 3] += pose[:3, 1] * (dict(box.dimensions)["width"] + 0.0123)
        sim.move_object("box_2", apart)
        truth = sim.world_truth()
        assert truth.distance("box_1", "box_2") == pytest.approx(0.0123, abs=1e-5)
        assert ("box_1", "box_2") not in truth.contacts
        apart[:3, 3] -= pose[:3, 1] * 0.0119
        sim.move_object("box_2", apart)
        assert ("box_1", "box_2") in sim.world_truth().contacts


def test_supports_are_level_surfaces(sims):
    for sim in sims:
        truth = sim.truth(whole=False)
        supports = {s.owner: s for s in truth.world.supports}
        assert supports["table"].height == sim.description.table.height
        for found in truth.world.objects:
            if found.stands_on in supports and found.stands_on != "table":
                assert found.box.center[2] - found.box.size[2] / 2 == pytest.approx(
                    supports[found.stands_on].height, abs=0.001
                )
            if found.kind == "book" and not found.inside:
                top = found.box.center[2] + found.box.size[2] / 2
                assert supports[found.id].height == pytest.approx(top, abs=1e-6)


def test_unknown_ids_are_named(sims):
    with pytest.raises(KeyError, match="teapot"):
        sims[0].world_truth().object("teapot")
