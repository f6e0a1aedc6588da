"""Relations and names that a model adds to a scene."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scene_checks import complaints
from joyai_ros.reasoning.proposals import STATED, Proposer, merged, name_clusters, propose_relations
from joyai_ros.scene.types import LabelSource, Source, Status
from joyai_ros.understanding.backend import Finish
from joyai_ros.understanding.formats import Triples
from tests.reasoning.table import Helpful, Model, table

NAMES = ("mug", "box", "can")


def proposed(*said, look=None):
    look = look or table()
    marks = {thing.id: str(k) for k, thing in enumerate(look.things, start=1)}
    relations = [{"subject": marks[a], "relation": word, "object": marks[b]} for a, word, b in said]
    return propose_relations(look, Model([json.dumps({"relations": relations})]))


def found(scene, subject, predicate, other):
    return [r for r in scene.relations if (r.subject, r.predicate, r.objects) == (subject, predicate, (other,))]


def test_what_geometry_states_too_agrees_in_both_directions():
    scene = proposed(("mug", "left of", "box"))
    assert found(scene, "mug", "left_of", "box")[0].status is Status.AGREE
    assert found(scene, "box", "right_of", "mug")[0].status is Status.AGREE
    assert len(scene.relations) == len(table().scene.relations)


def test_what_geometry_denies_is_not_stated():
    scene = proposed(("mug", "right of", "box"))
    known = found(scene, "mug", "left_of", "box")[0]
    assert (known.status, known.source) == (Status.CONTRADICT, Source.GEOMETRY)
    assert not found(scene, "mug", "right_of", "box")


def test_what_geometry_does_not_know_is_added_unchecked():
    scene = proposed(("mug", "touching", "can"))
    for subject, other in (("mug", "can"), ("can", "mug")):
        added = found(scene, subject, "touching", other)[0]
        assert (added.source, added.status, added.value) == (Source.MODEL, Status.UNCHECKED, None)


def test_without_depth_all_relations_are_the_models_and_unchecked():
    look = table(depth=False)
    scene = proposed(("mug", "left of", "box"), ("box", "left of", "mug"), ("can", "behind", "can"), look=look)
    assert {(r.subject, r.predicate, r.source, r.status) for r in scene.relations} == {
        ("mug", "left_of", Source.MODEL, Status.UNCHECKED),
        ("box", "right_of", Source.MODEL, Status.UNCHECKED),
    }
    assert all(r.value is None and r.sigma is None for r in scene.relations)


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(STATED)), st.sampled_from(NAMES)), max_size=12)
)
def test_whatever_a_model_says_a_scene_never_contradicts_itself(said):
    scene = merged(table().scene, [(a, STATED[word], b) for a, word, b in said])
    stated = {(r.subject, r.predicate, r.objects) for r in scene.relations}
    assert len(stated) == len(scene.relations)
    for a, b in itertools.permutations(NAMES, 2):
        for first, second in (("left_of", "right_of"), ("above", "below"), ("taller_than", "shorter_than")):
            assert not {(a, first, (b,)), (a, second, (b,))} <= stated
            assert ((a, first, (b,)) in stated) == ((b, second, (a,)) in stated)
    geometry = [r for r in scene.relations if r.source is Source.GEOMETRY]
    assert [(r.subject, r.predicate, r.objects, r.value) for r in geometry] == [
        (r.subject, r.predicate, r.objects, r.value) for r in table().scene.relations
    ]


@pytest.mark.parametrize(
    "text", ["{}", "nonsense", '{"relations": [{"subject": "9", "relation": "on", "object": "1"}]}']
)
def test_unusable_proposals_change_nothing(text):
    assert propose_relations(table(), Model([text])) == table().scene


def test_clusters_get_names_by_their_marks():
    look = table("nothing")
    model = Model([json.dumps({"text": "tin can\n"}), json.dumps({"text": ""})])
    scene = name_clusters(look, model, most=2)
    marks = [int(request.prompt.split("mark ")[1].split("?")[0]) for request in model.asked]
    named = look.things[marks[0] - 1].id
    labels = {item.id: (item.label, item.label_source) for item in scene.objects}
    assert labels.pop(named) == ("tin can", LabelSource.MODEL)
    assert set(labels.values()) == {("", LabelSource.NONE)}
    assert complaints(scene) == []


def test_named_objects_keep_their_names():
    model = Model([json.dumps({"text": "x"})])
    assert name_clusters(table(), model) == table().scene
    assert model.asked == []
    cut = Model([json.dumps({"text": "x"})], finish=Finish.LENGTH)
    assert name_clusters(table("nothing"), cut).objects == table("nothing").scene.objects


def test_a_proposer_keeps_its_rate_and_asks_for_each_name_once():
    model = Helpful([])
    proposer = Proposer(model, rate=2.0)
    assert [proposer.is_due(int(t * 1e9)) for t in (10.0, 10.3, 10.5, 10.6)] == [True, False, True, False]
    look = table("nothing")
    for _ in range(2):
        scene = proposer.scene(look)
        assert {item.label for item in scene.objects} == {"tin"}
        assert any(r.source is Source.MODEL for r in scene.relations)
    assert sum(not isinstance(request.format, Triples) for request in model.asked) == len(look.scene.objects)


def test_a_proposer_without_a_model_or_rate_is_never_due():
    assert not Proposer(None, 5.0).is_due(1)
    assert not Proposer(Helpful([]), 0.0).is_due(1)
    assert Proposer(None, 5.0).scene(table()) is None


def test_a_cancelled_proposal_is_none():
    assert Proposer(Helpful([], finish=Finish.CANCELED), 1.0).scene(table("nothing"), lambda: True) is None
