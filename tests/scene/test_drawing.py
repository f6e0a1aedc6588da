import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.drawing import _groups, _rows, draw_scene, object_colors
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation
from tests.messages import strategies

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
GREY = np.full((480, 640, 3), 90, np.uint8)


def thing(name, x=0.0, z=1.0, box=(280.0, 200.0, 360.0, 280.0), **more):
    return SceneObject(name, f"the {name}", OrientedBox(np.array([x, 0, z]), np.eye(3), np.full(3, 0.1)), box, **more)


def test_an_empty_scene_leaves_the_image_as_it_is():
    picture = draw_scene(GREY, Scene(1, "f"), CAMERA)
    np.testing.assert_array_equal(picture[:, :640], GREY)
    assert picture.shape == (480, 940, 3)
    assert picture[:, 640:].any()


def test_an_object_is_drawn_where_it_is_and_the_input_stays():
    image = GREY.copy()
    mask = np.zeros((80, 80), bool)
    mask[30:50, 30:50] = True
    scene = Scene(1, "f", (thing("a", mask=mask),))
    picture = draw_scene(image, scene, CAMERA)[:, :640]
    np.testing.assert_array_equal(image, GREY)
    changed = (picture != GREY).any(axis=-1)
    assert changed[240, 320]  # its pixels are shaded
    rows, columns = np.nonzero(changed)
    assert rows.min() > 150
    assert rows.max() < 300
    assert columns.min() > 250
    assert columns.max() < 400


@pytest.mark.parametrize("x", [0.0, -0.2, 0.3])
def test_every_edge_of_a_box_is_drawn(x):
    item = thing("a", x=x, box=None)
    changed = (draw_scene(GREY, Scene(1, "f", (item,)), CAMERA)[:, :640] != GREY).any(axis=-1)
    corners = item.obb.corners()
    for first, second in itertools.combinations(range(8), 2):
        if (first ^ second) in (1, 2, 4):
            middle = CAMERA.project((corners[[first]] + corners[[second]]) / 2)[0]
            row, column = round(float(middle[1])), round(float(middle[0]))
            assert changed[row - 1 : row + 2, column - 1 : column + 2].any(), (first, second)


@pytest.mark.parametrize(
    "item",
    [
        thing("behind", z=-1.0),
        thing("at the camera", z=0.0),
        thing("beside", x=30.0, box=None),
        thing("out of view", box=(-50.0, -50.0, 900.0, 900.0), mask=np.ones((950, 950), bool)),
        thing("half outside", box=(600.0, 450.0, 700.0, 500.0), mask=np.ones((50, 100), bool)),
        thing("remembered", visible=False),
    ],
)
def test_objects_in_odd_places_are_no_error(item):
    picture = draw_scene(GREY, Scene(1, "f", (item,)), CAMERA)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == CAMERA.height


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.scenes(), st.sampled_from([(1, 1), (64, 48), (320, 240), (1280, 720)]))
def test_any_scene_on_any_image_can_be_drawn(scene, size):
    camera = Camera(*size, 100.0, 100.0, size[0] / 2, size[1] / 2)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    picture = draw_scene(image, scene, camera)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == size[1]
    assert picture.shape[1] > size[0]


@settings(max_examples=40)
@given(st.lists(strategies.NAME, max_size=9, unique=True))
def test_colours_are_apart_and_bound_to_the_ids(names):
    scene = Scene(1, "f", tuple(thing(name) for name in names))
    colors = object_colors(scene)
    assert set(colors) == set(names)
    assert colors == object_colors(dataclasses.replace(scene, objects=scene.objects[::-1]))
    for one, other in itertools.combinations(colors.values(), 2):
        assert one != other


def relation(predicate, subject, other):
    return SpatialRelation(subject, predicate, (other,), 0.1, "m")


def test_the_table_says_each_pair_once():
    scene = Scene(1, "f", (thing("a"), thing("b", 0.5)))
    both = [
        relation("left_of", "a", "b"),
        relation("right_of", "b", "a"),
        relation("near", "a", "b"),
        relation("near", "b", "a"),
    ]
    groups = _groups(dataclasses.replace(scene, relations=tuple(both)))
    assert {name: len(found) for name, found in groups.items()} == {"left of": 1, "near": 1}


def test_a_converse_alone_is_turned():
    scene = Scene(1, "f", (thing("a"), thing("b", 0.5)), (relation("right_of", "b", "a"),))
    ((found,),) = _groups(scene).values()
    assert (found.subject, found.predicate, found.objects) == ("a", "left_of", ("b",))


def test_the_table_shows_neighbours_first_and_every_predicate():
    things = tuple(thing(str(i), i / 10) for i in range(8))
    pairs = list(itertools.combinations("01234567", 2))
    relations = [relation(name, *pair) for name in ("left_of", "taller_than") for pair in pairs]
    rows, left = _rows(_groups(Scene(1, "f", things, tuple(relations))), room=12)
    assert [row for row in rows if isinstance(row, str)] == ["left of", "taller than"]
    assert len(rows) == 12
    assert left == 2 * 28 - 10
    assert all(abs(int(row.subject) - int(row.objects[0])) == 1 for row in rows[1:6])
