"""``joyai-ros train mllm``, from a store to a folder that answers."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch
import yaml
from safetensors.torch import load_file

from joyai_ros.cli.main import run
from joyai_ros.models.card import read_card
from joyai_ros.models.folder import check_folder
from joyai_ros.models.store import find_model
from joyai_ros.training.data.store import SHARDS, Store
from joyai_ros.training.metrics import read_metrics
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.config import LocalSettings
from joyai_ros.understanding.formats import Choice
from joyai_ros.understanding.local import LocalBackend

ROOT = Path(__file__).parents[2]
SIZES = {
    "vocabulary": 640,
    "width": 48,
    "mlp": 64,
    "layers": 2,
    "heads": 2,
    "key_heads": 1,
    "head": 16,
    "pixels": 4096,
    "vision_width": 32,
    "vision_mlp": 32,
    "vision_layers": 2,
    "vision_heads": 2,
}
LOOP = {"steps": 4, "accumulation": 2, "learning_rate": 3e-3, "warmup": 1, "save_every": 2, "log_every": 2, "seed": 7}


@pytest.fixture(scope="module")
def recipe(made_store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    content = {"name": "tiny", "stores": [str(made_store)], "tokens": 512, "scratch": SIZES, "loop": LOOP}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    assert run(["train", "mllm", str(recipe), "--out", str(out), "--json", str(out / "done.json")]) == 0
    return out


def refused(capsys, code: int, *words: str) -> str:
    assert run(["train", "mllm", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and captured.err.startswith("joyai-ros: ")
    return captured.err


def test_what_a_run_leaves(trained, made_store):
    done = json.loads((trained / "done.json").read_text())
    lines = read_metrics(trained)
    assert [line["step"] for line in lines] == [2, 4] and lines[1]["loss"] < lines[0]["loss"]
    assert done["steps"] == 4 and done["samples"] == sum(
        entry.counts["questions"] for entry in Store(made_store).shards("train")
    )
    assert min(line["full"] for line in lines) > 0.8
    report = check_folder(trained / "model")
    assert len(report.shards) == 1 and not list((trained / "model").glob("*.bin"))
    card = read_card(trained / "tiny.yaml")
    assert card.parameters == done["parameters"] < 1e6 and card.scores == {}
    assert card.training["data"] == {made_store.name: Store(made_store).manifest.data_hash()}
    assert card.training["seed"] == 7 and card.training["loss"] == pytest.approx(done["loss"], abs=1e-6)
    assert find_model(str(trained / "model")).card == dataclasses.replace(card, folder=str(trained / "model"))
    assert "joyai_packed" not in (trained / "model" / "config.json").read_text()


def test_the_folder_answers(trained, made_store):
    backend = LocalBackend("tiny", trained / "model", LocalSettings())
    store = Store(made_store)
    entry = next(store.shards("train"))
    image = store.color(entry, store.read(entry).frames[0])
    (reply,) = backend.answer([ModelRequest((image,), "Which is it?", Choice(("left", "right")))])
    assert json.loads(reply.text)["answer"] in ("left", "right")
    backend.close()


def test_a_stopped_run_goes_on_to_the_same_weights(recipe, trained, tmp_path):
    """In a process of its own, told to stop when its first checkpoint is there."""
    words = [sys.executable, "-m", "joyai_ros", "train", "mllm", str(recipe), "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        while not (tmp_path / "run" / "checkpoint").exists() and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.splitlines()[-1].startswith("joyai-ros: stopped after step ") and "goes on" in said
    assert (
        run(["train", "mllm", str(recipe), "--out", str(tmp_path / "run"), "--json", str(tmp_path / "done.json")]) == 0
    )
    done, wanted = (json.loads(path.read_text()) for path in (tmp_path / "done.json", trained / "done.json"))
    assert done["resumed_from"] > 0 and abs(done["loss"] - wanted["loss"]) <= 1e-6
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (tmp_path / "run", trained))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)


# The vision encoder alone, of which the language model's forward pass knows nothing.
GLANCES = ["exercises=true", "stages=[{mix: {glances: 1}}]", "scratch.listing=true", "scratch.vocabulary=1100"]


@pytest.mark.parametrize("settings", [[], [*GLANCES, "scratch.patch=8"]], ids=["questions", "glances"])
def test_two_processes_do_what_one_does(recipe, tmp_path, settings):
    """They share the parts of each step, and go on from a checkpoint together."""
    assigned = [word for setting in ("loop.decay=constant", *settings) for word in ("--set", setting)]
    words = ["-m", "joyai_ros", "train", "mllm", str(recipe), *assigned, "--out"]
    alone = [sys.executable, *words, str(tmp_path / "alone")]
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    both = [*together, str(tmp_path / "both")]
    for command in (alone, [*both, "--set", "loop.steps=2"], both):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=200
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("steps, loss") == 1  # one of them reports
    assert read_metrics(tmp_path / "both")[-1]["loss"] == pytest.approx(
        read_metrics(tmp_path / "alone")[-1]["loss"], abs=1e-5
    )
    ours, theirs = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("both", "alone"))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in theirs)


def test_a_lora_is_merged_and_the_vision_encoder_untouched(recipe, trained, tmp_path):
    pytest.importorskip("peft")
    words = [
        "base=" + str(trained / "model"),
        "lora.rank=2",
        "keep.weight=1",
        "keep.general=[questions]",
        "result=bfloat16",
    ]
    sets = [word for each in words for word in ("--set", each)]
    assert run(["train", "mllm", str(recipe), "--out", str(tmp_path / "lora"), *sets]) == 0
    before, after = (load_file(folder / "model" / "model.safetensors") for folder in (trained, tmp_path / "lora"))
    assert before.keys() == after.keys() and {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    changed = {name for name in after if not torch.equal(before[name].bfloat16(), after[name])}
    assert changed and all(name.rsplit(".", 2)[-2] in ("q_proj", "k_proj", "v_proj", "o_proj") for name in changed)
    assert not any("visual" in name for name in changed)
    check_folder(tmp_path / "lora" / "model")
    assert read_metrics(tmp_path / "lora")[-1]["divergence"] > 0


def test_a_fine_tuned_folder_keeps_its_tokenizer(recipe, trained, tmp_path):
    base = ["--set", f"base={trained / 'model'}", "--set", "loop.steps=1"]
    assert run(["train", "mllm", str(recipe), "--out", str(tmp_path / "on"), *base]) == 0
    for name in ("tokenizer.json", "preprocessor_config.json", "chat_template.jinja"):
        assert (tmp_path / "on" / "model" / name).read_bytes() == (trained / "model" / name).read_bytes()
    assert not (tmp_path / "on" / "start").exists()


def test_a_base_is_deepened_and_trained(recipe, trained, tmp_path):
    base = ["--set", f"base={trained / 'model'}", "--set", "vision_layers=4", "--set", "loop.steps=2"]
    for _ in range(2):  # and goes on from its checkpoint
        assert run(["train", "mllm", str(recipe), "--out", str(tmp_path / "deep"), *base]) == 0
    folders = (trained / "model", tmp_path / "deep" / "start", tmp_path / "deep" / "model")
    depths = [json.loads((folder / "config.json").read_text())["vision_config"]["depth"] for folder in folders]
    assert depths == [2, 4, 4]
    check_folder(folders[2])
    begun, done = (load_file(folder / "model.safetensors") for folder in folders[1:])
    new = "model.visual.blocks.3.mlp.linear_fc2.weight"
    assert not begun[new].any() and done[new].any()
    assert read_card(tmp_path / "deep" / "tiny.yaml").parameters > read_card(trained / "tiny.yaml").parameters


@pytest.mark.parametrize("whole", [False, True])
def test_the_result_or_its_vision_encoder_alone_is_averaged(recipe, trained, tmp_path, capsys, whole):
    base = ["--set", f"base={trained / 'model'}", "--set", "loop.steps=2", "--set", "vision_rate=1"]
    mean = ["--set", f"mean=[{{model: {trained / 'model'}, share: 0.75, whole: {str(whole).lower()}}}]"]
    for name, more in (("plain", []), ("mean", mean)):
        assert run(["train", "mllm", str(recipe), "--out", str(tmp_path / name), *base, *more]) == 0
    begun, plain, averaged = (
        load_file(folder / "model" / "model.safetensors") for folder in (trained, tmp_path / "plain", tmp_path / "mean")
    )
    for name, weight in averaged.items():
        expected = 0.25 * plain[name] + 0.75 * begun[name] if whole or ".visual." in name else plain[name]
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-6)
    for name in ("model.visual.blocks.0.attn.proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"):
        assert (averaged[name] != plain[name]).any() == (whole or ".visual." in name)
    capsys.readouterr()
    deeper = [*base, *mean, "--set", "vision_layers=4"]
    assert "leave that model out" in refused(capsys, 2, str(recipe), "--out", str(tmp_path / "deep"), *deeper)


def test_a_full_disk_when_the_result_is_written(recipe, trained, tmp_path, capsys, monkeypatch):
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    said = refused(capsys, 1, str(recipe), "--out", str(tmp_path / "run"))
    assert "No space left on device" in said and "make room" in said
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if "model" in path.name) == []
    monkeypatch.undo()
    assert run(["train", "mllm", str(recipe), "--out", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("loop.step=3", "unknown key 'loop.step'"),
        ("stages=[{shares: 2}]", "unknown key 'shares'"),
        ("stages=[{mix: {colours: 1}}]", "there is no dataset 'colours'; there are "),
        ("stages=[{mix: [1]}]", "it must be right: in it: mix is [1]; it must be a mapping of names"),
        ("stages=[]", "there is no stage"),
        ("stores=[]", "there are no stores"),
        ("stores=[nowhere]", "nowhere holds no manifest.json"),
        ("split=validation", "has no questions in the split validation"),
        ("base=nowhere", "there is no model card 'nowhere'"),
        ("base=joyai-image-und", "pull it with"),
        ("lora.rank=4", "a LoRA changes a trained model"),
        ("keep.weight=1", "the teacher is the model to begin with"),
        ("loop.precision=fp16", "it must be one of no, bf16"),
        ("scratch.key_heads=3", "heads of key_heads"),
        ("tokens=128", "a pack 128"),
    ],
)
def test_settings_that_cannot_be(recipe, tmp_path, capsys, assignment, said):
    assert said in refused(capsys, 2, str(recipe), "--out", str(tmp_path / "run"), "--set", assignment)


def test_a_store_cut_short(recipe, store, tmp_path, capsys):
    path = next((store / SHARDS).glob("*/questions.parquet"))
    path.write_bytes(path.read_bytes()[:-50])
    for each in (store / SHARDS).iterdir():
        table = each / "questions.parquet"
        if table != path:
            table.write_bytes(table.read_bytes()[:-50])
    assert "is cut short" in refused(
        capsys, 2, str(recipe), "--out", str(tmp_path / "run"), "--set", f"stores=[{store}]"
    )


def test_folders_that_are_no_models(recipe, trained, tmp_path, capsys):
    out = ["--out", str(tmp_path / "run"), "--set"]
    assert "config.json cannot be read" in refused(capsys, 2, str(recipe), *out, f"base={tmp_path}")
    broken = shutil.copytree(trained / "model", tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "model.safetensors" in refused(capsys, 2, str(recipe), *out, f"base={broken}")


def test_another_run_in_the_same_folder_is_refused(recipe, trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    said = refused(capsys, 2, str(recipe), "--out", str(tmp_path / "run"), "--set", "tokens=600")
    assert "model.tokens was 512 and is 600" in said


def test_a_loss_that_is_no_number_names_itself(recipe, trained, tmp_path, capsys):
    base = shutil.copytree(trained / "model", tmp_path / "base")
    from safetensors.torch import save_file

    weights = load_file(base / "model.safetensors")
    weights["model.language_model.norm.weight"].fill_(float("nan"))
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    said = refused(capsys, 1, str(recipe), "--out", str(tmp_path / "run"), "--set", f"base={base}")
    assert "at step 1 the loss is nan (answers nan" in said
