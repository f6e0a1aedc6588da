"""How right single answers are; the questions of an evaluation; who is asked, and what becomes of failures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from joyai_ros.errors import InputError
from joyai_ros.models.confidence import ConfidenceLine
from joyai_ros.reasoning.compare import Said
from joyai_ros.training.data.store import Store
from joyai_ros.training.evaluation import judge as judges
from joyai_ros.training.evaluation.answering import GeometryAnswers, ModelAnswers
from joyai_ros.training.evaluation.journal import Journal
from joyai_ros.training.evaluation.judge import open_judge
from joyai_ros.training.evaluation.mllm import ask_all, paired
from joyai_ros.training.evaluation.questions import QuestionSet
from joyai_ros.training.evaluation.scoring import Outcome, chances, overall, score, summarise
from joyai_ros.understanding.backend import Finish, ModelError, ModelReply
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.formats import Text


@pytest.fixture(scope="module")
def store(made_store) -> Store:
    return Store(made_store)


@pytest.fixture(scope="module")
def questions(store) -> QuestionSet:
    return QuestionSet(store, "train", 40, 0)


class Oracle:
    """Knows every answer, except where it is told to fail."""

    name = "oracle"

    def __init__(self, questions, log_p=-0.1, change=lambda posed, reply: reply):
        self._answers = {(posed.item.prompt, posed.wanted): posed for posed in questions.questions}
        self._log_p = log_p
        self._change = change
        self.asked = 0
        self.images = 0

    def answer(self, requests, on_text=None, is_canceled=None):
        del on_text, is_canceled
        replies = []
        for request in requests:
            posed = self._answers[request.prompt.partition(" The last ")[0], request.format]
            reply = ModelReply(posed.item.answer, Finish.STOP, 1, (self._log_p,), ("x",))
            replies.append(self._change(posed, reply))
        self.asked += len(requests)
        self.images = max(self.images, *(len(request.images) for request in requests))
        return replies


def unique(questions):
    """A set of questions in which no two have the same words and options: the oracle knows them by these."""
    seen = {}
    for posed in questions.questions:
        seen.setdefault((posed.item.prompt, posed.wanted), posed)
    few = object.__new__(QuestionSet)
    few.store, few.questions = questions.store, list(seen.values())
    return few


def test_scores_of_single_answers():
    assert score("left_right", Said("left"), Said("left")) == 1.0
    assert score("left_right", Said("right"), Said("left")) == 0.0
    assert score("count", Said(value=3.0), Said(value=3.0)) == 1.0
    assert score("object_height", Said(value=0.112), Said(value=0.1)) == pytest.approx(0.8)
    assert score("object_height", Said(), Said(value=0.1)) == 0.0
    boxes = ((0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0))
    assert score("ground_boxes", Said(boxes=boxes[::-1]), Said(boxes=boxes)) == 1.0
    assert score("ground_boxes", Said(boxes=boxes[:1]), Said(boxes=boxes)) == pytest.approx(2 / 3)
    assert score("ground_boxes", Said(boxes=(boxes[0], boxes[0])), Said(boxes=boxes)) == 0.5, "one box counts once"
    assert score("ground_boxes", Said(), Said(boxes=boxes)) == 0.0
    points = Said(points=((5.0, 5.0), (50.0, 50.0)))
    assert score("ground_points", points, Said(points=((5.0, 6.0), (25.0, 25.0))), boxes) == 0.5
    near, far = np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.21, 0.3
    true = np.eye(4)
    true[0, 3] = 0.2
    assert score("camera_pose", Said(pose=near), Said(pose=true)) == 1.0
    assert score("camera_pose", Said(pose=far), Said(pose=true)) == 0.0


def test_questions_are_even_and_their_truth_scores_full_marks(questions):
    assert len({posed.item.task for posed in questions.questions}) > 15
    for posed in questions.questions:
        assert score(posed.item.task, posed.truth, posed.truth, posed.places) == 1.0, posed.item
    for task in ("left_right", "existence"):
        keys = [posed.item.key for posed in questions.questions if posed.item.task == task]
        assert len(set(keys)) == 2
        assert keys.count(keys[0]) * 2 == len(keys), task


def test_chance_is_that_of_the_best_blind_guess(questions):
    chance = chances(questions.questions, 0)
    assert chance["left_right"] == chance["existence"] == 0.5
    heights = [posed.truth.value for posed in questions.questions if posed.item.task == "object_height"]
    always = [np.mean([score("object_height", Said(value=g), Said(value=h)) for h in heights]) for g in heights]
    assert chance["object_height"] == pytest.approx(max(always))
    assert all(0.0 <= value <= 1.0 for value in chance.values())


def test_a_model_that_knows_everything(questions, tmp_path):
    questions = unique(questions)
    oracle = Oracle(questions)
    outcomes = ask_all(questions, ModelAnswers(oracle, questions.store), Journal(tmp_path / "run", {}))
    assert [o.score for o in outcomes] == [1.0] * len(questions.questions)
    tasks = summarise(outcomes, chances(questions.questions, 0), {}, 0)
    assert {figures["accuracy"] for figures in tasks.values()} == {1.0}
    everything = overall(outcomes, tasks, {})
    assert everything["chance_adjusted"] == pytest.approx(1.0)
    assert everything["calibration_error"] == pytest.approx(1 - np.exp(-0.1))
    fitted = everything["fitted"]
    assert fitted.keys() == {"others"}, "too few of each task"
    (line,) = {name: ConfidenceLine(**line) for name, line in fitted.items()}.values()
    assert 0.9 < line.confidence(-0.1) < 1.0, "nothing was wrong"


def test_failures_are_wrong_and_named(questions, tmp_path):
    questions = unique(questions)
    turn = {posed.item.id: number % 4 for number, posed in enumerate(questions.questions)}

    def break_some(posed, reply):
        kind = turn[posed.item.id]
        if kind == 1:
            return replace(reply, text="well, I think so")
        if kind == 2:
            return replace(reply, finish=Finish.LENGTH)
        if kind == 3:
            return replace(reply, finish=Finish.CANCELED)
        return reply

    backend = Oracle(questions, change=break_some)
    outcomes = ask_all(questions, ModelAnswers(backend, questions.store), Journal(tmp_path / "run", {}))
    for posed, outcome in zip(questions.questions, outcomes, strict=True):
        kind = ("", "format", "cut off", "timeout")[turn[posed.item.id]]
        assert outcome.failure.partition(":")[0] == kind
        assert outcome.score == float(not kind)


def test_one_question_that_the_backend_refuses_takes_no_other_with_it(questions, tmp_path):
    questions = unique(questions)
    bad = questions.questions[5].item.id

    def refuse(posed, reply):
        if posed.item.id == bad:
            raise ModelError("it is too long")
        return reply

    answers = ModelAnswers(Oracle(questions, change=refuse), questions.store)
    outcomes = ask_all(questions, answers, Journal(tmp_path / "run", {}))
    assert [o.id for o in outcomes if o.failure] == [bad]
    assert [o.failure for o in outcomes if o.failure] == ["backend: it is too long"]


def test_a_backend_that_is_gone_ends_the_run_and_it_goes_on_later(questions, tmp_path):
    questions = unique(questions)
    fine = 20

    def die(posed, reply):
        if oracle.asked >= fine:
            raise ModelError("no such server")
        return reply

    oracle = Oracle(questions, change=die)
    with pytest.raises(ModelError, match="in a row"):
        ask_all(questions, ModelAnswers(oracle, questions.store), Journal(tmp_path / "run", {"a": 1}))
    alive = Oracle(questions)
    outcomes = ask_all(questions, ModelAnswers(alive, questions.store), Journal(tmp_path / "run", {"a": 1}))
    assert all(o.score == 1.0 for o in outcomes), "what failed for want of a server is asked again"
    assert alive.asked <= len(questions.questions) - fine
    other = Oracle(questions)
    ask_all(questions, ModelAnswers(other, questions.store), Journal(tmp_path / "run", {"a": 2}))
    assert other.asked == len(questions.questions), "another plan begins anew"


def test_a_journal_that_was_cut_short_keeps_its_whole_lines(tmp_path):
    journal = Journal(tmp_path / "run", {"a": 1})
    journal.add([{"id": "1"}, {"id": "2"}])
    path = tmp_path / "run" / "outcomes.jsonl"
    path.write_text(path.read_text()[:-4])
    again = Journal(tmp_path / "run", {"a": 1})
    assert again.lines == [{"id": "1"}]
    again.add([{"id": "3"}])
    assert Journal(tmp_path / "run", {"a": 1}).lines == [{"id": "1"}, {"id": "3"}]


def test_geometry_answers_what_it_measures(questions, tmp_path):
    outcomes = ask_all(questions, GeometryAnswers(questions.store), Journal(tmp_path / "run", {}))
    by_task = summarise(outcomes, chances(questions.questions, 0), {}, 0)
    assert by_task["left_right"]["accuracy"] >= 0.9
    assert by_task["ground_boxes"]["accuracy"] >= 0.9
    assert by_task["color"]["accuracy"] == 0.0, "it sees no colours, and says so"
    assert by_task["color"]["failures"] == by_task["color"]["n"]


def test_views_are_shown_and_differences_are_paired(store, tmp_path):
    every = QuestionSet(store, "train", 40, 0)
    hidden = QuestionSet(store, "train", 40, 0, hidden=True)
    assert 0 < len(hidden.questions) < len(every.questions)
    for posed in hidden.questions:
        [frame] = posed.frames
        about = [thing for thing in frame.objects if thing.id in posed.item.objects]
        if about:
            assert any(thing.visibility < 0.6 or thing.measured.truncated for thing in about)
    few = unique(hidden)
    oracle = Oracle(few)
    answers = ModelAnswers(oracle, store, views=2)
    ask_all(few, answers, Journal(tmp_path / "run", {}))
    assert oracle.images == 3
    better = [Outcome(str(k), "count", str(k // 2), "", "", 1.0) for k in range(20)]
    worse = [replace(outcome, score=float(k % 2)) for k, outcome in enumerate(better)]
    found = paired(worse, better, 0)
    assert (found["difference"], found["gained"], found["lost"]) == (0.5, 10, 0)
    assert found["interval"] == [0.5, 0.5], "each scene gains as much"
    assert found["p"] == pytest.approx(2 * 0.5**10)


def test_open_answers_are_judged(store, tmp_path):
    both = QuestionSet(store, "train", 8, 0, ("left_right",), captions=True)
    captions = [posed for posed in both.questions if posed.item.task == "caption"]
    assert captions
    assert all(isinstance(posed.wanted, Text) for posed in captions)

    class Sees:
        name = "sees"

        def answer(self, requests, on_text=None, is_canceled=None):
            said = {posed.item.prompt: posed for posed in captions}
            return [
                ModelReply(
                    json.dumps({"text": "I see a red mug."}) if request.prompt in said else '{"answer": "left"}',
                    Finish.STOP,
                )
                for request in requests
            ]

    answers = ModelAnswers(Sees(), store, judge=judges.mentions)
    outcomes = ask_all(both, answers, Journal(tmp_path / "run", {}))
    for posed, outcome in zip(both.questions, outcomes, strict=True):
        if posed.item.task == "caption":
            things = json.loads(posed.item.answer)["text"].split(", ")
            assert outcome.score == pytest.approx(things.count("red mug") / len(things))
    assert 0.0 <= chances(both.questions, 0, judges.mentions)["caption"] < 1.0
    with open_judge("joyai_ros.training.evaluation.judge:mentions", ModelConfig()) as judge:
        assert judge("", "red mug, blue box", "A red mug.") == 0.5
    for wrong in ("no_such_module:judge", "math:no_such", "math:pi"):
        with pytest.raises(InputError, match="judge"), open_judge(wrong, ModelConfig()):
            pass


def test_a_model_judges_with_a_probability(small_folder):
    with open_judge(str(small_folder), ModelConfig()) as judge:
        given = [judge("Describe it.", "red mug", answer) for answer in ("a red mug", "nothing")]
    assert all(0.0 < points < 1.0 for points in given)
    with pytest.raises(InputError, match="no judge"), open_judge("none", ModelConfig()):
        pass
