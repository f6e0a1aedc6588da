"""``joyai-ros ask`` with a model in this process, through the real loading code; and how it is interrupted."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from joyai_ros.cli.main import run
from tests.understanding.scripted_server import serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "color.png"
    cv2.imwrite(str(path), np.random.default_rng(2).integers(0, 255, (96, 128, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("torch", reason="a model runs on torch")
    from benchmarks.small_model import write_small_model

    return write_small_model(tmp_path_factory.mktemp("model") / "small")


def test_a_folder_answers_in_the_form_of_each_task(picture, model, capsys):
    """Its answers mean nothing, and they have the right form."""
    for task, words in (("choice", ["--choices", "red,green"]), ("ground_boxes", []), ("camera_motion", [])):
        images = [str(picture)] * (2 if task == "camera_motion" else 1)
        code = run(["ask", *images, "What?", "--task", task, "--model", str(model), "--json", "-", *words])
        said = capsys.readouterr()
        assert code == 0, said.err
        answer = json.loads(said.out)
        assert (answer["model"], answer["status"]) == (model.name, "unchecked")
        assert answer["confidence"] is None, "a folder without a card is not calibrated"
        if task == "choice":
            assert answer["choice"] in ("red", "green")
        if task == "ground_boxes":
            assert all(0 <= x0 < x1 <= 128 and 0 <= y0 < y1 <= 96 for x0, y0, x1, y1 in answer["boxes"])


def test_settings_of_the_model_are_taken(picture, model, capsys):
    words = ("--model", str(model), "--task", "choice", "--choices", "a,b", "--set", "model.local.loading.weights=int8")
    assert run(["ask", str(picture), "Which?", *words]) == 0
    assert run(["ask", str(picture), "Which?", *words[:-1], "model.local.loading.weights=int3"]) == 2
    assert "full, fp8, int8, int4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "said"), [("tokenizer.json", "tokenizer"), ("model-00001-of-*", "model-00001-of-")]
)
def test_a_folder_that_is_not_whole(picture, model, tmp_path, capsys, pattern, said):
    (left_out,) = model.glob(pattern)
    for path in model.iterdir():
        if path != left_out:
            (tmp_path / path.name).symlink_to(path)
    assert run(["ask", str(picture), "What?", "--model", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_ctrl_c_while_a_server_thinks(picture):
    asked, over = threading.Event(), threading.Event()

    def think(handler):
        asked.set()
        over.wait(60)

    with serving(think) as server:
        command = [sys.executable, "-m", "joyai_ros", "ask", str(picture), "What?", "--server", server.url]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        over.set()
    assert process.returncode == 130
    assert (out, err.strip()) == ("", "")
