import json
import shutil

import pytest

from joyai_ros.cli.main import run


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
    assert [name for name, present in here.items() if present] == ["qwen3-vl-2b-instruct"]


def test_check_of_a_folder(capsys, small_folder):
    assert run(["models", "check", str(small_folder)]) == 0
    assert "tensors in 5 files" in capsys.readouterr().out
    assert run(["models", "check", str(small_folder), "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["present"] and record["check"]["tensors"] > 100 and record["check"]["hashed"] == 0


def test_bad_input_is_two(capsys, tmp_path, small_folder):
    broken = shutil.copytree(small_folder, tmp_path / "broken")
    (broken / "model.bin").write_bytes(b"")
    for words, said in (
        (["check", str(broken)], "is a pickle"),
        (["check", "nothing"], "there is no model card 'nothing'"),
        (["check", "small-und"], "small-und"),
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
