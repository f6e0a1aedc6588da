"""Hypothesis strategies for core types, as wild as their definitions allow."""

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import Consistency, View
from joyai_ros.scene import types
from joyai_ros.scene.answer import Answer

METRES = st.floats(-50, 50)
SIZE = st.floats(0, 10)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAME = TEXT.filter(bool)
STAMP = st.integers(0, 2**31 * 10**9 - 1)
SCORE = st.floats(0, 1, width=32)
CONFIDENCE = SCORE | st.just(math.nan)
OPTIONAL = st.none() | st.floats(-100, 100)


def vectors(elements=METRES):
    return hnp.arrays(np.float64, 3, elements=elements)


@st.composite
def rotations(draw):
    axis = draw(vectors(st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 0.1))
    return rigid.axis_angle(axis, draw(st.floats(-math.pi, math.pi)))


@st.composite
def transforms(draw):
    return rigid.make_transform(draw(rotations()), draw(vectors()))


@st.composite
def boxes2d(draw):
    x0, y0 = draw(st.floats(-100, 2000)), draw(st.floats(-100, 2000))
    return x0, y0, x0 + draw(st.floats(1, 500)), y0 + draw(st.floats(1, 500))


@st.composite
def boxes3d(draw):
    return OrientedBox(draw(vectors()), draw(rotations()), draw(vectors(SIZE)))


@st.composite
def relations(draw):
    return types.SpatialRelation(
        subject=draw(NAME),
        predicate=draw(NAME),
        objects=tuple(draw(st.lists(NAME, max_size=2))),
        value=draw(OPTIONAL),
        unit=draw(st.sampled_from(["m", "rad", "1", ""])),
        sigma=draw(OPTIONAL),
        frame=draw(st.sampled_from(list(types.Frame))),
        confidence=draw(CONFIDENCE),
        source=draw(st.sampled_from(list(types.Source))),
        status=draw(st.sampled_from(list(types.Status))),
        model_value=draw(OPTIONAL),
    )


@st.composite
def objects(draw):
    return types.SceneObject(
        id=draw(NAME),
        label=draw(TEXT),
        obb=draw(boxes3d()),
        box=draw(st.none() | boxes2d()),
        label_source=draw(st.sampled_from(list(types.LabelSource))),
        score=draw(SCORE),
        center_sigma=draw(vectors(SIZE)),
        size_sigma=draw(vectors(SIZE)),
        height=draw(SIZE | st.just(math.nan)),
        height_sigma=draw(SIZE | st.just(math.nan)),
        points=draw(st.integers(0, 2**32 - 1)),
        mask=draw(st.none() | hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6)))),
        truncated=draw(st.booleans()),
        visible=draw(st.booleans()),
        age=draw(st.integers(0, 10**13)) / 1e9,
        views=draw(st.integers(1, 2**32 - 1)),
        moved=draw(st.booleans()),
    )


@st.composite
def planes(draw):
    corners = hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(-9, 9, width=32))
    return types.SupportPlane(draw(vectors()), draw(METRES), draw(corners).astype(np.float64))


@st.composite
def scenes(draw):
    pose = draw(st.none() | transforms())
    return types.Scene(
        stamp=draw(STAMP),
        frame_id=draw(TEXT),
        objects=tuple(draw(st.lists(objects(), max_size=3, unique_by=lambda o: o.id))),
        relations=tuple(draw(st.lists(relations(), max_size=3))),
        support_planes=tuple(draw(st.lists(planes(), max_size=2))),
        up=draw(st.none() | vectors().filter(lambda v: np.linalg.norm(v) > 0.1)),
        up_source=draw(st.sampled_from(list(types.UpSource))),
        world_from_camera=pose,
        world_frame="" if pose is None else draw(TEXT),
        abstentions=draw(st.integers(0, 2**32 - 1)),
        rejected=tuple(draw(st.lists(TEXT, max_size=2))),
        seconds=draw(st.floats(0, 10)),
    )


@st.composite
def answers(draw):
    return Answer(
        question=draw(TEXT),
        text=draw(TEXT),
        task=draw(TEXT),
        choice=draw(TEXT),
        value=draw(OPTIONAL),
        unit=draw(TEXT),
        sigma=draw(OPTIONAL),
        boxes=tuple(draw(st.lists(boxes2d(), max_size=2))),
        points=tuple(draw(st.lists(st.tuples(METRES, METRES), max_size=2))),
        pose=draw(st.none() | transforms()),
        evidence_objects=tuple(draw(st.lists(NAME, max_size=2))),
        evidence_views=draw(st.integers(0, 100)),
        evidence=tuple(draw(st.lists(relations(), max_size=2))),
        confidence=draw(CONFIDENCE),
        status=draw(st.sampled_from(list(types.Status))),
        model_value=draw(OPTIONAL),
        geometry_value=draw(OPTIONAL),
        model=draw(TEXT),
        stamp=draw(STAMP),
        frame_id=draw(TEXT),
    )


@st.composite
def motions(draw):
    return CameraMotion(draw(st.floats(-360, 360)), draw(st.floats(-179, 179)), draw(st.floats(0.01, 100)))


@st.composite
def views(draw):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    pose = draw(st.none() | transforms())
    known = hnp.arrays(np.float32, shape, elements=st.floats(0, 50, width=32))
    return View(
        image=draw(hnp.arrays(np.uint8, (*shape, 3))),
        camera=Camera(shape[1], shape[0], 5.0, 6.0, 1.5, 2.5),
        validity=draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 128, 255]))),
        source_from_view=draw(transforms()),
        stamp=draw(STAMP),
        source_frame=draw(TEXT),
        depth=draw(st.none() | known),
        motion=draw(st.none() | motions()),
        estimated_source_from_view=pose,
        pose_covariance=None if pose is None else draw(st.none() | st.just(np.diag(np.arange(1.0, 7.0)))),
        verified=pose is not None,
        consistency=draw(st.sampled_from(list(Consistency))),
        confidence=draw(CONFIDENCE),
        method=draw(TEXT),
        model=draw(TEXT),
        seed=draw(st.integers(0, 2**64 - 1)),
    )
