"""Downloads from a hub on loopback, through the real client."""

import dataclasses
import json
import shutil
import threading

import pytest

from joyai_ros.errors import JoyaiError
from joyai_ros.models.card import ModelCard, load_card, shipped_folder
from joyai_ros.models.errors import CardError, ModelFolderError, PullError
from joyai_ros.models.folder import LOCK, check_folder, read_lock
from joyai_ros.models.pipeline_folder import EDIT, check_pipeline
from joyai_ros.models.store import find_model, folder_card, pull, store_root, stored
from tests.models.hub import COMMIT, Hub

pytest.importorskip("huggingface_hub", reason="models are pulled by huggingface_hub")

CARD = ModelCard(
    "tiny",
    "a model of these tests",
    "Qwen3VLForConditionalGeneration",
    "float32",
    repository="owner/tiny",
    subfolder="JoyAI-Image-Und",
)
SHARD = "model-00002-of-00005.safetensors"


@pytest.fixture
def hub(tmp_path, small_folder, monkeypatch):
    """A repository in the authors' layout, beside things that nobody should download."""
    root = tmp_path / "repository"
    shutil.copytree(small_folder, root / CARD.subfolder)
    (root / "transformer").mkdir()
    (root / "transformer" / "transformer.pth").write_bytes(b"a pickle")
    (root / CARD.subfolder / "modeling.py").write_text("raise SystemExit('remote code')")
    (root / CARD.subfolder / "pytorch_model.bin").write_bytes(b"a pickle")
    hub = Hub(root, CARD.repository)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("JOYAI_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield hub
    hub.close()


def test_a_pull_brings_weights_and_texts_and_nothing_that_runs(hub, small_folder):
    model = pull(CARD)
    assert model.present and model.folder == store_root() / "tiny"
    names = {path.relative_to(model.folder).as_posix() for path in model.folder.rglob("*") if path.is_file()}
    assert names == {path.name for path in small_folder.iterdir()} | {LOCK}
    lock = read_lock(model.folder)
    assert (lock["repository"], lock["revision"]) == (CARD.repository, COMMIT)
    assert check_folder(model.folder).hashed == len(names) - 1
    assert not (store_root() / "tiny.partial").exists()
    assert not [line for line in hub.asked if ".pth" in line or ".bin" in line or ".py" in line.rsplit("/", 1)[-1]]


def test_a_model_that_is_there_is_not_asked_for_again(hub):
    pull(CARD)
    hub.asked.clear()
    assert pull(CARD).present
    assert not hub.asked


def test_a_broken_download_goes_on_where_it_was(hub):
    hub.broken.add(SHARD)
    with pytest.raises(PullError, match=r"tiny could not be pulled from owner/tiny.*pull again"):
        pull(CARD)
    assert not stored(CARD).present, "half a model has no name"
    hub.broken.clear()
    hub.asked.clear()
    assert check_folder(pull(CARD).folder).tensors > 100
    assert any(SHARD in line for line in hub.asked)
    fetched = [line for line in hub.asked if line.startswith("GET") and "/resolve/" in line]
    assert not [line for line in fetched if line.endswith("config.json")], "what had come is not fetched again"


def test_a_pipeline_comes_with_all_its_parts(hub, edit_folder, tmp_path):
    hub.root = shutil.copytree(edit_folder, tmp_path / "pipeline")
    (hub.root / "transformer" / "older").mkdir()
    (hub.root / "transformer" / "older" / "diffusion_pytorch_model.safetensors").write_bytes(b"not asked for")
    (hub.root / "text_encoder" / "modeling.py").write_text("raise SystemExit('remote code')")
    (hub.root / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    card = dataclasses.replace(CARD, architecture=EDIT, subfolder="")
    model = pull(card)
    names = {path.relative_to(model.folder).as_posix() for path in model.folder.rglob("*") if path.is_file()}
    expected = {path.relative_to(edit_folder).as_posix() for path in edit_folder.rglob("*") if path.is_file()}
    assert names == expected | {LOCK}
    assert model.present and check_pipeline(model.folder, hashes=True).hashed == len(expected)
    assert find_model(str(model.folder)).card.draws
    (hub.root / "model_index.json").unlink()
    with pytest.raises(ModelFolderError, match=r"lacks model_index\.json"):
        pull(dataclasses.replace(card, name="other"))


def test_two_at_once_bring_one_model(hub):
    errors = []

    def run():
        try:
            pull(CARD)
        except JoyaiError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    gets = [line for line in hub.asked if line.startswith("GET") and line.endswith(SHARD)]
    assert len(gets) == 1


def test_offline_nothing_is_asked(hub, monkeypatch):
    with pytest.raises(PullError, match="nothing is downloaded offline"):
        pull(CARD, local_files_only=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PullError, match="unset HF_HUB_OFFLINE"):
        pull(CARD)
    assert not hub.asked


def test_what_cannot_be_pulled_says_why(hub):
    with pytest.raises(PullError, match="could not be pulled"):
        pull(CARD, revision="missing")
    with pytest.raises(PullError, match="could not be pulled"):
        pull(dataclasses.replace(CARD, repository="owner/other"))
    with pytest.raises(PullError, match="has no folder elsewhere"):
        pull(dataclasses.replace(CARD, subfolder="elsewhere"))
    with pytest.raises(PullError, match="has no repository"):
        pull(dataclasses.replace(CARD, repository=None))


def test_a_repository_with_a_missing_shard_gets_no_name(hub):
    (hub.root / CARD.subfolder / SHARD).unlink()
    with pytest.raises(ModelFolderError, match=f"lacks the shard {SHARD}"):
        pull(CARD)
    assert not stored(CARD).present


def test_models_are_found_by_card_and_by_folder(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("JOYAI_MODELS", str(tmp_path))
    found = find_model(str(small_folder))
    assert found.folder == small_folder and found.card == folder_card(small_folder)
    assert (found.card.name, found.card.dtype) == ("small", "float32")
    with pytest.raises(ModelFolderError, match="joyai-ros models pull qwen3-vl-2b-instruct"):
        find_model("qwen3-vl-2b-instruct")
    with pytest.raises(CardError, match="there is no model card 'nothing'"):
        find_model("nothing")
    (tmp_path / "joyai-image-und").mkdir()
    shutil.copytree(small_folder, tmp_path / "joyai-image-und" / "JoyAI-Image-Und")
    assert find_model("joyai-image-und").folder == tmp_path / "joyai-image-und" / "JoyAI-Image-Und"


def test_a_folder_without_configuration_is_no_model(tmp_path):
    with pytest.raises(ModelFolderError, match=r"config\.json cannot be read"):
        find_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps([]))
    with pytest.raises(ModelFolderError, match=r"config\.json cannot be read"):
        find_model(str(tmp_path))


def test_the_folder_of_a_model_that_came_with_the_package_has_its_card():
    card = load_card("small-und")
    folder = shipped_folder(card)
    assert folder is not None and card.listing
    assert find_model(str(folder)).card == card
    assert find_model(str(folder / ".." / folder.name)).folder.resolve() == folder.resolve()
