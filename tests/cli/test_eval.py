"""``joyai-ros eval``: scores, reports, what is refused."""

import json
import re

import pytest

pytest.importorskip("pyarrow", reason="data is stored with pyarrow")

from joyai_ros.cli import eval_scene
from joyai_ros.cli.main import run
from joyai_ros.errors import MissingDependencyError
from joyai_ros.sim.graphics import open_context
from joyai_ros.training.evaluation.answering import GeometryAnswers
from joyai_ros.training.evaluation.views import score_scene

SMALL = ("--scenes", 3, "--workers", 1, "--set", "data.simulator.longest_side=240")


@pytest.fixture(scope="module", autouse=True)
def _drawing() -> None:
    try:
        open_context(64, 48).free()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Questions that one test makes are there for the next."""
    return tmp_path_factory.mktemp("eval")


@pytest.fixture
def typed(capsys, monkeypatch, place):
    """Run a command; returns exit code, stdout, stderr."""
    monkeypatch.chdir(place)

    def run_command(*words):
        code = run([str(word) for word in ("eval", *words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def pictures_of(report):
    text = (report / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', text), "it needs no other file"
    return text, len(re.findall(r"data:image/jpeg;base64,", text))


def test_geometry_answers_questions(typed, place):
    code, out, err = typed("mllm", *SMALL, "--model", "none", "--json", "g.json", "--report", "report")
    assert (code, err) == (0, "")
    assert "answered by geometry" in out
    said = json.loads((place / "g.json").read_text())
    tasks = said["tasks"]
    assert {"left_right", "count", "object_height", "camera_motion", "ground_boxes"} <= set(tasks)
    for name, figures in tasks.items():
        low, high = figures["interval"]
        assert 0 <= low <= figures["accuracy"] <= high + 1e-9 <= 1.001, name
        assert figures["n"] >= 1
        assert 0 <= figures["chance"] <= 1
    assert said["overall"]["chance_adjusted"] > 0.5
    assert len(said["failed"]) == sum(figures["failures"] for figures in tasks.values())
    text, count = pictures_of(place / "report")
    assert count >= 12
    assert "left_right" in text
    assert [path.name[:9] for path in (place / "out" / "eval").iterdir()] == ["questions"], "what was done is not kept"


def test_a_model_answers_with_and_without_imagined_views(typed, place, small_folder):
    words = ("--tasks", "left_right,front_behind,count", "--per-task", 4, "--model", small_folder)
    code, _, err = typed("mllm", *SMALL, *words, "--imagined", 1, "--json", "m.json", "--report", "report")
    assert (code, err) == (0, "")
    said = json.loads((place / "m.json").read_text())
    assert said["answered_by"] == small_folder.name
    assert set(said["imagined"]["tasks"]) == set(said["tasks"])
    assert said["imagined"]["all"]["n"] == said["overall"]["n"]
    assert "imagined views" in pictures_of(place / "report")[0]


def test_a_run_that_was_stopped_goes_on(typed, monkeypatch):
    words = ("mllm", *SMALL, "--model", "none", "--tasks", "left_right,count", "--json", "-")
    whole = typed(*words)[1]
    asked = []
    real = GeometryAnswers.answer

    def counted(self, questions):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(len(questions))
        return real(self, questions)

    monkeypatch.setattr(GeometryAnswers, "answer", counted)
    assert typed(*words)[0] == 130
    done = sum(asked)
    asked.extend([0] * 10)  # no more interruptions
    code, again, _ = typed(*words)
    assert code == 0
    assert json.loads(again) == json.loads(whole)
    assert sum(asked) == json.loads(whole)["overall"]["n"], f"the {done} that were answered are not asked again"


def test_views_by_depth_and_by_a_model(typed, place, edit_folder):
    words = ("--scenes", 1, "--poses", 2, "--size", 64, "--steps", 1, "--guide", 0.5, "--model", edit_folder)
    code, out, err = typed("view", *words, "--json", "v.json", "--report", "views")
    assert (code, err) == (0, "")
    assert "over homography" in out
    said = json.loads((place / "v.json").read_text())
    assert list(said["tasks"]) == ["input", "homography", "warp", "depth", "model", "guided", "kept"]
    for figures in said["tasks"].values():
        assert {"accuracy", "chance", "n", "psnr", "ssim", "psnr_unseen"} <= set(figures)
        assert figures["n"] + said["left_out"] == 2
    assert said["tasks"]["warp"]["psnr"] > said["tasks"]["model"]["psnr"]
    text, count = pictures_of(place / "views")
    assert count == 2 * said["tasks"]["model"]["n"]
    assert "By asked yaw" in text


def test_views_go_on_where_they_were_stopped(typed, place, monkeypatch):
    words = (
        "view",
        "--scenes",
        2,
        "--poses",
        1,
        "--method",
        "depth",
        "--size",
        128,
        "--report",
        "again",
        "--json",
        "-",
    )
    begun = []

    def counted(seed, *more):
        begun.append(seed)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return score_scene(seed, *more)

    monkeypatch.setattr("joyai_ros.cli.eval_view.score_scene", counted)
    assert typed(*words)[0] == 130
    code, out, _ = typed(*words)
    assert code == 0
    assert begun == [1_000_000, 1_000_001, 1_000_001], "the first scene is not drawn again"
    assert pictures_of(place / "again")[1] == 4, "and its picture is there"
    assert json.loads(typed(*words)[1]) == json.loads(out)


def test_scenes(typed, place):
    code, out, _ = typed("scene", "--scenes", 2, "--json", "s.json", "--report", "scenes")
    assert code == 0
    assert "relations/true" in out
    tasks = json.loads((place / "s.json").read_text())["tasks"]
    assert set(tasks) == {f"{name}/{boxes}" for name in ("relations", "heights") for boxes in eval_scene.SETTINGS}
    assert tasks["relations/true"]["accuracy"] > 0.95 > tasks["relations/true"]["chance"]
    assert tasks["heights/true"]["accuracy"] > tasks["heights/true"]["chance"]
    assert pictures_of(place / "scenes")[1] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mllm", "--model", "no-such-model"), "no-such-model"),
        (("view", "--model", "no-such-model"), "no-such-model"),
        (("mllm", "--model", "none", "--imagined", 2), "--imagined"),
        (("mllm", "--split", "exam"), "exam"),
        (("mllm", *SMALL, "--model", "none", "--tasks", "no_such_task"), "no_such_task"),
        (("mllm", "--data", "nowhere", "--model", "none"), "nowhere"),
        (("mllm", "--set", "data.scenes=3"), "data.scenes"),
        (("mllm", "--judge", "no_such:judge", "--model", "none"), "judge"),
        (("view", "--method", "model", "--model", "joyai-image-edit"), "joyai-image-edit"),
        (("scene", "--scenes", 0), "--scenes"),
    ],
)
def test_what_is_refused(typed, words, said):
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_without_weights_geometry_answers_and_it_is_said(typed, monkeypatch, place):
    monkeypatch.setattr("joyai_ros.cli.eval._SHIPPED", "qwen3-vl-2b-instruct")
    monkeypatch.setenv("JOYAI_MODELS", str(place / "none"))
    code, out, err = typed("mllm", *SMALL, "--tasks", "count")
    assert code == 0
    assert "answered by geometry" in out
    assert "geometry answers" in err
