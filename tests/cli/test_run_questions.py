"""Questions along a bag: who answers, how often, what is left out, and what the answers hold."""

import json
from dataclasses import replace

import pytest

from joyai_ros.bags.reader import BagReader
from joyai_ros.cli.main import run
from joyai_ros.messages.answer import answer_from_message
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.scene.types import Status
from tests.bags import synthetic
from tests.understanding.scripted_server import fails, says, serving

HEIGHT = "object_height: How tall is the box?"


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Half a second of a box on a table, 15 frames."""
    return synthetic.write(tmp_path_factory.mktemp("bag") / "bag", frames=15)


@pytest.fixture
def answered(bag, tmp_path):
    """Run with questions; returns the answers and the report."""

    def work(*questions, rate=4.0, **settings):
        given = {"questions.ask": json.dumps(questions), "questions.rate": rate, "view.rate": 0, **settings}
        words = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        report = tmp_path / "report.json"
        assert run(["run", str(bag), "-o", str(tmp_path / "out"), "--json", str(report), *words]) == 0
        with BagReader(tmp_path / "out") as reader:
            found = [answer_from_message(reader.decode(m)) for m in reader.messages(["/joyai/answer"])]
            scenes = [scene_from_message(reader.decode(m)) for m in reader.messages(["/joyai/scene"])]
        measured = {scene.stamp: scene.objects[0].height for scene in scenes}
        for answer in found:
            if answer.task == "object_height":
                assert answer.geometry_value == measured[answer.stamp]
        return found, json.loads(report.read_text())

    return work


def test_geometry_answers_at_the_rate(answered):
    answers, report = answered(HEIGHT, "count: How many objects are there?")
    assert [answer.task for answer in answers] == ["object_height", "count"] * 2
    assert sorted({answer.stamp for answer in answers}) == [synthetic.stamp_of(0), synthetic.stamp_of(8)]
    for answer in answers:
        assert (answer.frame_id, answer.status, answer.model) == (synthetic.FRAME, Status.UNCHECKED, "")
    assert answers[0].question == "How tall is the box?"
    assert answers[0].value == answers[0].geometry_value
    assert answers[1].value == 1.0
    assert report["written"]["/joyai/answer"] == 4
    assert report["rejected"] == []


def test_a_model_behind_a_server_is_checked_against_depth(answered):
    with serving(says('{"value": 60, "unit": "cm"}'), models=("spatial",)) as server:
        answers, _ = answered(HEIGHT, **{"model.server.url": server.url})
    assert len(answers) == 2
    for answer in answers:
        assert (answer.model, answer.status) == ("spatial", Status.CONTRADICT)
        assert answer.model_value == pytest.approx(0.6)
        assert answer.value == answer.geometry_value


def test_a_model_is_shown_views_from_elsewhere(answered):
    with serving(says('{"value": 60, "unit": "cm"}'), models=("spatial",)) as server:
        answers, _ = answered(HEIGHT, **{"model.server.url": server.url, "questions.views": 2})
    assert [answer.evidence_views for answer in answers] == [3, 3]


def test_a_model_draws_them(answered, edit_folder, monkeypatch):
    from joyai_ros.imagination.mmdit.sampler import Sampler

    prompts, draw = [], Sampler.draw

    def counted(self, requests, size, preset, *others, **named):
        prompts.append(requests[0].prompt)
        return draw(self, requests, size, replace(preset, steps=1), *others, **named)

    monkeypatch.setattr(Sampler, "draw", counted)
    drawing = {"imagination.model": str(edit_folder), "imagination.size": 64}
    with serving(says('{"value": 60, "unit": "cm"}'), models=("spatial",)) as server:
        answers, _ = answered(HEIGHT, **{"model.server.url": server.url, "questions.views": 2}, **drawing)
    assert len(prompts) == 4 and "Yaw 20°" in prompts[0] and "Yaw -20°" in prompts[1]
    # Views of a model that was not trained are not consistent with the surface, which then stands in for them.
    assert [answer.evidence_views for answer in answers] == [3, 3]


def test_where_the_model_fails_geometry_answers_and_it_is_counted(answered):
    with serving(fails(401, "no"), models=("spatial",)) as server:
        answers, report = answered(HEIGHT, **{"model.server.url": server.url})
    assert [answer.model for answer in answers] == ["", ""]
    assert answers[0].value == answers[0].geometry_value is not None
    [problem] = report["rejected"]
    assert (problem["reason"], problem["count"]) == ("question that the model did not answer", 2)
    assert "refused the key" in problem["first"]


def test_what_cannot_be_asked_of_a_frame_is_left_out_and_counted(answered):
    answers, report = answered("object_height: How tall is the cupboard?", HEIGHT)
    assert [answer.task for answer in answers] == ["object_height"] * 2
    [problem] = report["rejected"]
    assert (problem["reason"], problem["count"]) == ("question that cannot be asked of a frame", 2)


def test_without_questions_there_is_no_topic(bag, tmp_path):
    assert run(["run", str(bag), "-o", str(tmp_path / "out"), "--set", "view.rate=0"]) == 0
    with BagReader(tmp_path / "out") as reader:
        assert "/joyai/answer" not in reader.topics


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["questions.ask=['']"], "the question is empty"),
        (['questions.ask=["What?"]', "model.name=no-such-card"], "no-such-card"),
        (['questions.ask=["What?"]', "model.server.url=nowhere"], "URL"),
        (["questions.rate=0"], "questions.rate"),
    ],
)
def test_bad_questions_are_known_before_the_bag_is_read(bag, tmp_path, capsys, settings, said):
    words = [word for setting in settings for word in ("--set", setting)]
    assert run(["run", str(bag), "-o", str(tmp_path / "out"), *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
