"""Exports, statistics, plots and samples of a store, through the command line."""

import base64
import csv
import json
import os
import sys
from concurrent.futures import Future

import cv2
import numpy as np
import pytest

from joyai_ros.cli import main
from joyai_ros.training.data.store import SHARDS, Store
from joyai_ros.understanding.formats import parse, schema_of
from joyai_ros.understanding.tasks import TASKS
from tests.training.conftest import plant


def run(capsys, *words):
    code = main.run(["data", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def questions(folder, split="train"):
    store = Store(folder)
    return {item.id: item for entry in store.shards(split) for item in store.read(entry).items}


@pytest.mark.parametrize("form", ["ms-swift", "llava"])
def test_json_lines(made_store, tmp_path, capsys, form):
    assert run(capsys, "export", made_store, "--out", tmp_path / "out", "--format", form)[0] == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    items = questions(made_store)
    assert {row["id"] for row in rows} == set(items)
    for row in rows:
        item = items[row["id"]]
        if form == "ms-swift":
            system, asked, said = (message["content"] for message in row["messages"])
            assert "JSON" in system
            images = row["images"]
        else:
            asked, said = (turn["value"] for turn in row["conversations"])
            images = row["image"] if isinstance(row["image"], list) else [row["image"]]
        assert asked.count("<image>") == len(images) == len(item.frames)
        assert asked.endswith(item.prompt)
        assert said == item.answer
        assert all((tmp_path / "out" / name).is_file() for name in images)
        assert all(name.endswith("_marked.jpg") == bool(item.objects) for name in images)


def test_every_answer_is_in_the_format_that_decoding_is_held_to(made_store):
    for item in questions(made_store).values():
        wanted = TASKS[item.task].answer
        if wanted is not None:
            assert parse(wanted, item.answer)
            assert set(json.loads(item.answer)) == set(schema_of(wanted)["required"])


def test_tsv(made_store, tmp_path, capsys):
    assert run(capsys, "export", made_store, "--out", tmp_path / "out", "--format", "vlmevalkit")[0] == 0
    csv.field_size_limit(sys.maxsize)
    with (tmp_path / "out" / "train.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    items = questions(made_store)
    assert [row["index"] for row in rows] == [str(number) for number in range(len(rows))]
    for row in rows:
        item = items[row["id"]]
        assert row[row["answer"]] == json.loads(item.answer)["answer"]
        assert row["category"] == item.task
        images = json.loads(row["image"]) if row["image"].startswith("[") else [row["image"]]
        assert len(images) == len(item.frames)
        assert cv2.imdecode(np.frombuffer(base64.b64decode(images[0]), np.uint8), cv2.IMREAD_COLOR) is not None


def test_a_folder_with_something_in_it_is_left_alone(made_store, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    code, _, error = run(capsys, "export", made_store, "--out", tmp_path)
    assert code == 2
    assert "is not empty" in error
    code, _, error = run(capsys, "export", made_store, "--out", tmp_path / "new", "--split", "validation")
    assert code == 2
    assert "no questions in the split validation" in error


def test_statistics_plots_and_a_sample(made_store, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    words = ("--plots", tmp_path / "plots", "--sample", tmp_path / "sample.png", "--json", "-")
    code, out, _ = run(capsys, "show", made_store, *words)
    assert code == 0
    found = json.loads(out)
    assert found["questions"] == sum(row["n"] for row in found["tasks"].values())
    assert found["tasks"]["left_right"]["guess"] == 0.5
    assert found["tasks"]["object_distance"]["guess"] is None
    for name in ("tasks", "answers", "geometry"):
        assert cv2.imread(str(tmp_path / "plots" / f"{name}.png")).std() > 10  # something is drawn
    assert cv2.imread(str(tmp_path / "sample.png")).shape[1] == 960
    code, out, _ = run(capsys, "show", made_store, "--split", "train")
    assert code == 0
    assert "left_right" in out


def test_check_says_what_is_wrong(made_store, store, capsys):
    code, out, _ = run(capsys, "check", made_store)
    assert code == 0
    assert "agree with their geometry" in out

    def change(rows):
        row = next(row for row in rows if row["task"] == "left_right")
        row["answer"] = json.dumps({"answer": "right" if "left" in row["answer"] else "left"})

    plant(store, "train-00000", "questions.parquet", change)
    code, out, _ = run(capsys, "check", store, "--json", "-")
    assert code == 2
    (fault,) = json.loads(out)["faults"]
    assert fault["kind"] == "question"


def test_a_damaged_shard_is_not_exported(store, tmp_path, capsys):
    path = store / SHARDS / "train-00000" / "objects.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    code, _, error = run(capsys, "export", store, "--out", tmp_path / "out")
    assert code == 2
    assert "cut short" in error
    assert not (tmp_path / "out" / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["build", "--out", "x"], "give bags, or --scenes"),
        (["build", "--out", "x", "--scenes", "1", "--set", "simulator.frame=3"], "unknown key 'simulator.frame'"),
        (["build", "--out", "x", "--scenes", "1", "--set", "questions.tasks=[riddle]"], "riddle"),
        (["build", "nothing.mcap", "--out", "x"], "nothing.mcap"),
        (["export", "nowhere", "--out", "x", "--format", "coco"], "coco"),
        (["check", "nowhere"], "holds no manifest.json"),
        (["show", "nowhere"], "holds no manifest.json"),
    ],
)
def test_bad_input_is_one_line(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(capsys, *words)
    assert code == 2
    assert says in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_split_that_is_none(made_store, tmp_path, capsys):
    for words in (["show", made_store], ["export", made_store, "--out", tmp_path / "x"]):
        code, _, error = run(capsys, *words, "--split", "dev")
        assert code == 2
        assert "splits are train, validation, test" in error


def test_an_export_onto_a_full_disk(made_store, tmp_path, capsys, monkeypatch):
    def full(path, data):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    code, _, error = run(capsys, "export", made_store, "--out", tmp_path / "out")
    assert code == 1
    assert "No space left on device" in error
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_a_worker_that_is_killed_is_one_line(tmp_path, capsys, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from joyai_ros.training.data import build

    class Dying:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, work, job):
            future = Future()
            future.set_exception(BrokenProcessPool("A process in the process pool was terminated abruptly"))
            return future

    monkeypatch.setattr(build, "ProcessPoolExecutor", Dying)
    words = ["--scenes", "4", "--workers", "2", "--set", "shard_scenes=1", "--out", tmp_path / "s"]
    code, _, error = run(capsys, "build", *words)
    assert code == 1
    assert "fewer --workers" in error


def test_a_manifest_that_is_none(tmp_path, capsys):
    for text in ("", "[]", "{}", '{"format": 99, "data_hash": ""}'):
        (tmp_path / "manifest.json").write_text(text)
        code, _, error = run(capsys, "check", tmp_path)
        assert code == 2
        assert "manifest.json" in error
