"""Inputs that nobody should send: a sample of the half million, Hypothesis's own, and that the checks would notice."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks import fuzz_inputs, fuzz_scene
from benchmarks.scene_checks import complaints, contradictions
from joyai_ros.errors import InputError
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.predicates import CONVERSE, Predicate
from joyai_ros.scene.types import Scene, SpatialRelation
from tests.scene.layouts import UP, stated, thing

SAMPLE = 2000


def test_two_thousand_inputs():
    total = fuzz_scene.fuzz(SAMPLE, processes=1, state=None)
    assert total.kept == {}
    assert total.failures == 0
    assert sum(total.inputs.values()) == SAMPLE
    # They are not all refused or empty: most of what the engine does is done.
    assert sum(total.refused.values()) < 0.15 * SAMPLE
    assert total.objects > SAMPLE / 2
    assert total.relations > 10 * SAMPLE
    assert total.rejected > SAMPLE / 4


SIDES = st.integers(1, 40)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=32)
DEPTHS = st.one_of(ANY_FLOAT, st.floats(0.25, 3.0, width=32), st.just(0.0))
COORDINATE = st.one_of(st.floats(allow_nan=True), st.integers(-5, 50))
NAMES = st.one_of(st.sampled_from(("a", "b", "cluster_0")), st.text(max_size=4))


@st.composite
def detections(draw, shape):
    made = []
    for _ in range(draw(st.integers(0, 4))):
        solid = None
        if draw(st.booleans()):
            center = np.array(draw(st.tuples(*[st.floats(-1.0, 2.0)] * 3)))
            size = np.array(draw(st.tuples(*[st.floats(0.0, 1.0)] * 3)))
            solid = OrientedBox(center, np.eye(3), size)
        mask = draw(st.one_of(st.none(), arrays.arrays(bool, shape), st.just(np.ones(shape, bool))))
        front = draw(st.one_of(st.none(), arrays.arrays(np.float64, 3, elements=st.floats(allow_nan=True))))
        box = draw(st.one_of(st.none(), st.tuples(*[COORDINATE] * 4)))
        made.append(Detection(draw(NAMES), draw(NAMES), box, draw(st.floats(allow_nan=True)), mask, solid, front))
    return tuple(made)


@st.composite
def observations(draw):
    """Raises InputError where it is none."""
    width, height = draw(SIDES), draw(SIDES)
    focal = st.one_of(st.floats(10.0, 100.0), st.floats(allow_nan=True))
    camera = Camera(width, height, draw(focal), draw(focal), draw(COORDINATE), draw(COORDINATE))
    shape = (height, width)
    depth = draw(arrays.arrays(np.float32, shape, elements=DEPTHS, fill=DEPTHS))
    up = draw(st.one_of(st.none(), st.just(UP), arrays.arrays(np.float64, 3, elements=st.floats(-1.0, 1.0))))
    pose = draw(st.one_of(st.none(), st.just(np.eye(4)), arrays.arrays(np.float64, (4, 4), elements=ANY_FLOAT)))
    found = draw(st.one_of(st.none(), detections(shape)))
    image = np.full((*shape, 3), draw(st.integers(0, 255)), np.uint8)
    return Observation(
        image, camera, depth, draw(st.integers(0, 2**62)), world_from_camera=pose, up=up, detections=found
    )


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_any_observation_is_refused_or_gives_a_sound_scene(data):
    try:
        observation = data.draw(observations())
    except InputError:
        return
    engine = SceneEngine()
    assert complaints(engine.process(observation)) == []
    assert complaints(engine.process(replace(observation, stamp=observation.stamp + 1))) == []


def test_a_seed_gives_the_same_inputs_everywhere():
    def depths(seed):
        random = np.random.default_rng(seed)
        return [fuzz_inputs.depth_image(random, None, (18, 24)).tobytes() for _ in range(5)]

    assert depths(5) == depths(5)
    assert depths(5) != depths(6)


def test_a_run_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz_scene, "CHUNK", 20)
    ran = []
    monkeypatch.setattr(
        fuzz_scene, "run_chunk", lambda chunk, run=fuzz_scene.run_chunk: ran.append(chunk) or run(chunk)
    )
    state = tmp_path / "state.jsonl"
    fuzz_scene.fuzz(40, 1, state)
    with state.open("a") as file:
        file.write('{"code": "torn')
    total = fuzz_scene.fuzz(60, 1, state)
    assert ran == [0, 1, 2]
    assert sum(total.inputs.values()) == 60
    fresh = fuzz_scene.fuzz(60, 1, None)
    assert (total.inputs, total.refused, total.relations) == (fresh.inputs, fresh.refused, fresh.relations)
    monkeypatch.setattr(fuzz_scene, "fingerprint", lambda: "other code")
    ran.clear()
    fuzz_scene.fuzz(20, 1, state)
    assert ran == [0]


def test_a_crash_is_counted_and_can_be_run_again(monkeypatch, capsys):
    class Broken:
        def __init__(self, config):
            pass

        def process(self, observation):
            raise IndexError(f"index {observation.depth.size} is out of bounds")

    monkeypatch.setattr(fuzz_scene, "SceneEngine", Broken)
    monkeypatch.setattr(fuzz_scene, "CHUNK", 60)
    tally = fuzz_scene.run_chunk(0)
    assert tally.failures > 20
    ((first, times),) = [value for kind, value in tally.kept.items() if "IndexError" in kind]
    assert times > 20  # one kind, whatever the number
    case = first.split(" ")[0]
    with pytest.raises(IndexError):
        fuzz_scene.run_case(*map(int, case.split(":")), fuzz_scene.Tally(), 60)


def test_the_command_prints_what_it_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz_scene, "CHUNK", 30)
    monkeypatch.setattr(
        sys, "argv", ["fuzz", "--count", "30", "--processes", "1", "--state", str(tmp_path / "s.jsonl")]
    )
    with pytest.raises(SystemExit) as ended:
        fuzz_scene.main()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "30 inputs" in said
    assert "0 failures" in said
    assert json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])["chunk"] == 0


SOUND = stated(
    thing("a", size=(0.3, 0.2, 0.1)),
    thing("b", bottom=0.1),
    thing("c", right=0.5),
    thing("d", right=0.25, forward=1.02),
).stated


def of(predicate, subject, *objects):
    (found,) = [r for r in SOUND if (r.predicate, r.subject, r.objects) == (predicate.value, subject, objects)]
    return found


def test_the_checks_find_a_sound_set_sound():
    assert contradictions(SOUND, set("abcd"), True) == []
    assert {"on", "between", "left_of", "near"} <= {r.predicate for r in SOUND}


def planted():
    """Sets of statements that are each wrong in one way."""
    left, on = of(Predicate.LEFT_OF, "a", "c"), of(Predicate.ON, "b", "a")
    yield "no converse", [left], "without its converse"
    yield "another value", [left, of(Predicate.RIGHT_OF, "c", "a")._replace(value=1.0)], "its converse"
    yield "NaN value", [*SOUND, left._replace(objects=("d",), value=math.nan)], "value nan"
    yield "NaN sigma", [*SOUND, left._replace(objects=("d",), sigma=math.nan)], "sigma nan"
    yield "no confidence", [*SOUND, left._replace(objects=("d",), confidence=math.nan)], "confidence"
    yield "stranger", [*SOUND, left._replace(objects=("x",))], "no such object"
    yield "itself", [*SOUND, left._replace(objects=("a",))], "of itself"
    yield "twice", [*SOUND, left], "stated twice"
    yield "on each other", [*SOUND, on._replace(subject="a", objects=("b",))], "both on and under"
    yield "on but not touching", [r for r in SOUND if r.predicate != "touching"], "but not touching"
    yield "a gap in an order", [r for r in SOUND if {r.subject, *r.objects} != {"a", "c"}], "follows but is not stated"
    yield "near at another distance", [*SOUND, of(Predicate.NEAR, "a", "b")._replace(objects=("c",))], "centres"
    frame = left._replace(frame=of(Predicate.HEIGHT, "a").frame)
    yield "another frame", [*(r for r in SOUND if r is not left), frame], "stated in frame"
    closer = next(r for r in SOUND if r.predicate == "closer_than")
    near = of(Predicate.CAMERA_DISTANCE, closer.subject)
    yield "closer than it is", [*(r for r in SOUND if r is not near), near._replace(value=9.0)], "closer_than"
    for one in (Predicate.ON, Predicate.UNDER, Predicate.ABOVE, Predicate.BELOW):
        for other in (Predicate.INSIDE, Predicate.CONTAINS):
            pair = [statement(one), statement(other), statement(CONVERSE[one], True), statement(CONVERSE[other], True)]
            yield f"{one.value} and {other.value}", pair, " both "
    yield "near and far", [statement(Predicate.NEAR), statement(Predicate.FAR)], "both near and far"


def statement(predicate, back=False):
    subject, other = ("b", "a") if back else ("a", "b")
    return SpatialRelation(subject, predicate.value, (other,), 0.1, "m", 0.01, confidence=0.9)


@pytest.mark.parametrize(("relations", "words"), [pytest.param(r, w, id=name) for name, r, w in planted()])
def test_the_checks_notice(relations, words):
    found = contradictions(relations, set("abcd"), True)
    assert any(words in complaint for complaint in found), found


def test_the_checks_notice_gravity_and_objects_that_are_none():
    assert any("without gravity" in c for c in contradictions(SOUND, set("abcd"), False))
    item = thing("a")
    for change, words in (
        ({"center_sigma": np.full(3, np.nan)}, "center_sigma"),
        ({"score": math.inf}, "score"),
        ({"height": math.nan}, "height"),
        ({"front": np.zeros(3)}, "front"),
        ({"box": (5.0, 5.0, 1.0, 9.0)}, "2D box"),
        ({"box": (0.0, 0.0, 4.0, 4.0), "mask": np.ones((3, 4), bool)}, "mask"),
    ):
        scene = Scene(0, "f", (replace(item, **change),), up=UP)
        assert any(words in complaint for complaint in complaints(scene)), change
    assert any("twice" in c for c in complaints(Scene(0, "f", (item, item), up=UP)))
    assert complaints(Scene(0, "f", (item,), up=UP)) == []
