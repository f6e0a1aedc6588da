import json
import shutil

import pytest

from joyai_ros.cli.main import run
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.opening import open_model


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("JOYAI_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "store"


def test_list_names_every_card_whole(capsys):
    assert run(["models", "list"]) == 0
    out = capsys.readouterr().out
    for name in ("joyai-image-und", "openspatial-qwen3-vl-8b", "qwen3-vl-2b-instruct", "small-und"):
        assert name in out
    assert "8.77 B" in out and "17.5 GB" in out


def test_list_as_json_says_what_is_here(capsys, store, small_folder):
    shutil.copytree(small_folder, store / "qwen3-vl-2b-instruct")
    assert run(["models", "list", "--json", "-"]) == 0
    here = {record["name"]: record["present"] for record in json.loads(capsys.readouterr().out)}
    shipped = {"small-und", "small-edit"}  # they travel with the package
    assert [name for name, present in here.items() if present and name not in shipped] == ["qwen3-vl-2b-instruct"]
    assert here["small-und"]


def test_check_of_a_folder(capsys, small_folder):
    assert run(["models", "check", str(small_folder)]) == 0
    assert "tensors in 5 files" in capsys.readouterr().out
    assert run(["models", "check", str(small_folder), "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["present"] and record["check"]["tensors"] > 100 and record["check"]["hashed"] == 0


def test_a_pipeline_is_listed_and_checked(capsys, store, edit_folder):
    shutil.copytree(edit_folder, store / "joyai-image-edit")
    assert run(["models", "list", "--json", "-"]) == 0
    here = {record["name"]: record["present"] for record in json.loads(capsys.readouterr().out)}
    assert {"joyai-image-edit": True, "joyai-image-edit-plus": False, "small-edit": True}.items() <= here.items()
    assert run(["models", "check", "joyai-image-edit"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("joyai-image-edit: JoyImageEditPipeline,") and "shapes as each config.json asks" in out
    assert run(["models", "check", str(edit_folder), "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["architecture"] == "JoyImageEditPipeline"
    assert set(record["check"]["parts"]) == {"transformer", "vae", "text_encoder"}
    assert record["check"]["parts"]["transformer"]["parameters"] > 1e6


def test_a_pipeline_of_other_shapes_is_refused(capsys, tmp_path, edit_folder):
    other = shutil.copytree(edit_folder, tmp_path / "other")
    config = other / "transformer" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden_size": 48, "num_attention_heads": 2}))
    assert run(["models", "check", str(other)]) == 2
    assert "configuration and weights are of different models" in capsys.readouterr().err
    (other / "vae" / "model.bin").write_bytes(b"")
    assert run(["models", "check", str(other)]) == 2
    assert "is a pickle" in capsys.readouterr().err


def test_a_pipeline_answers_no_questions(edit_folder):
    with pytest.raises(ModelFolderError, match="draws images and answers no questions"):
        open_model(ModelConfig(name=str(edit_folder)))


def test_bad_input_is_two(capsys, tmp_path, small_folder):
    broken = shutil.copytree(small_folder, tmp_path / "broken")
    (broken / "model.bin").write_bytes(b"")
    for words, said in (
        (["check", str(broken)], "is a pickle"),
        (["check", "nothing"], "there is no model card 'nothing'"),
        (["check", "joyai-image-und"], "joyai-image-und"),
        (["pull", "nothing"], "there is no model card"),
        (["fly"], "fly"),
        ([], "Missing command"),
    ):
        assert run(["models", *words]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1


def test_a_pull_that_cannot_be_is_one(capsys):
    assert run(["models", "pull", "qwen3-vl-2b-instruct"]) == 1
    assert "nothing is downloaded offline" in capsys.readouterr().err
    assert run(["models", "pull", "qwen3-vl-2b-instruct", "--offline"]) == 1
