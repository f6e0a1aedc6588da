"""``joyai-ros bench imagine``: what views ask of their networks, drawn and by the real network's shapes, kept apart."""

import json
import subprocess
import sys

import pytest

from joyai_ros.cli.main import run

NETWORKS = ("calls", "rows", "vision", "language", "head", "encoded", "decoded", "positions")


@pytest.fixture(autouse=True)
def _no_models(tmp_path, monkeypatch):
    monkeypatch.setenv("JOYAI_MODELS", str(tmp_path / "store"))


def counted(tmp_path, *words):
    file = tmp_path / "counted.json"
    assert run(["bench", "imagine", *words, "--json", str(file)]) == 0
    return json.loads(file.read_text())


@pytest.mark.parametrize(
    ("kind", "stock", "rows", "steps"),
    [
        ("edit_folder", [80, 80, 2, 2, 2, 1, 2, 80], 80, 40),
        ("plus_folder", [30, 60, 2, 2, 2, 1, 1, 120], 60, 30),
    ],
)
def test_nothing_is_redundant_in_ours(kind, stock, rows, steps, request, tmp_path, capsys):
    folder = str(request.getfixturevalue(kind))
    drawn = counted(tmp_path, "--model", folder)["drawn"]
    assert (drawn["model"], drawn["pixels"], drawn["steps"]) == (folder, 64, steps)
    views = {view: [drawn[view][name] for name in NETWORKS] for view in ("stock", "ours", "ours_second_view")}
    assert views["stock"] == stock
    assert views["ours"] == [steps, rows, 1, 2, 0, 1, 1, 1]
    assert views["ours_second_view"] == [steps, rows, 0, 1, 0, 0, 1, 0]
    assert drawn["redundant"] == {"ours": {}, "ours_second_view": {}}
    assert 0 < drawn["ours_second_view"]["copied"] < drawn["ours"]["copied"]
    assert drawn["largest_difference"] <= 1  # both drew the same view: a shade lies on the edge of rounding
    out = capsys.readouterr().out
    lines = out.replace("\n", "").replace(" ", "")
    assert f"{folder},64px".replace(" ", "") in lines and "redundant in ours: nothing" in out
    assert out.index("redundant in ours") < out.index("counted by its shapes, not run")


def test_what_is_redundant_is_said(edit_folder, tmp_path, monkeypatch, capsys):
    """The counts can tell: a sampler that remembers nothing encodes the frame of a second view again."""
    from joyai_ros.imagination.mmdit.sampler import Sampler

    draw = Sampler.draw

    def forgetful(self, *arguments, **how):
        self.forget()
        return draw(self, *arguments, **how)

    monkeypatch.setattr(Sampler, "draw", forgetful)
    redundant = counted(tmp_path, "--model", str(edit_folder))["drawn"]["redundant"]
    assert redundant == {"ours": {}, "ours_second_view": {"vision": 1, "language": 1, "encoded": 1, "positions": 1}}
    assert "images encoded +1 (ours second view)" in " ".join(capsys.readouterr().out.split())


def test_real_shapes_are_counted_without_a_model(tmp_path, capsys):
    pytest.importorskip("diffusers", reason="the real network's modules are diffusers'")
    figures = counted(tmp_path)
    assert figures["drawn"] is None
    out = capsys.readouterr().out
    assert "counted by its shapes, not run" in out and "drawn here" not in out
    assert max(map(len, out.splitlines())) <= 80, "the table fits an ordinary terminal"
    by_size = {pixels: {} for pixels in (256, 512, 1024)}
    for row in figures["real"]:
        by_size[row["pixels"]][row["view"]] = row
    for views in by_size.values():
        stock, exact, fast = views["stock"], views["ours, exact"], views["ours, fast"]
        assert (stock["rows"], exact["rows"], fast["rows"]) == (80, 80, 15)
        assert exact["operations"] == pytest.approx(stock["operations"], rel=1e-6)
        assert fast["operations"] == pytest.approx(exact["operations"] * 15 / 80)
        assert stock["bytes_moved"] > 1e9 and exact["bytes_moved"] == fast["bytes_moved"] == 0


def test_standard_output_holds_json_alone(capsys):
    pytest.importorskip("diffusers", reason="the real network's modules are diffusers'")
    assert run(["bench", "imagine", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["bench"] == "imagine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["imagine", "--model", "nothing"], "there is no model card 'nothing'"),
        (["imagine", "--model", "small-und"], "small-und"),
        (["imagine", "--model", "joyai-image-edit"], "joyai-ros models pull"),
        (["imagine", "--model", "joyai-image-edit", "--size", "65"], "no buckets of size 65"),
        (["imagine", "--size", "64"], "give --model"),
        (["imagine", "--rgb", "x"], "takes no frame"),
        (["imagine", "--bag", "x"], "takes no frame"),
        (["imagine", "--repeat", "5"], "takes no frame"),
        (["scene", "--model", "x"], "for 'bench imagine'"),
        (["bag", "--size", "64"], "for 'bench imagine'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_loaded(words, said, capsys):
    assert run(["bench", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_model_that_only_answers_draws_nothing(small_folder, capsys):
    assert run(["bench", "imagine", "--model", str(small_folder)]) == 2
    assert "draws no images" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["torch", "diffusers"])
def test_a_missing_library_is_one_line(library):
    pytest.importorskip("torch", reason="what is missing besides diffusers is named first")
    run_it = "from joyai_ros.cli import main; sys.exit(main.run(['bench', 'imagine']))"
    code = f"import sys; sys.modules[{library!r}] = None; {run_it}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"joyai-ros: {library}") and result.stderr.count("\n") == 1
    assert result.stderr.endswith("is not installed; install it with: pip install 'joyai_ros[neural]'\n")
