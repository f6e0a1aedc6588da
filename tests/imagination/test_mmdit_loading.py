"""Folders of pipelines: what is loaded, and what is said about those that cannot be."""

import json
import shutil
import socket

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch
from safetensors.torch import load_file, save_file

from joyai_ros.errors import ConfigError
from joyai_ros.imagination.mmdit.conditioning import QwenConditioner
from joyai_ros.imagination.mmdit.errors import DrawCanceledError
from joyai_ros.imagination.mmdit.loading import PipelineLoading, load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.models.errors import ModelFolderError, PipelineFolderError
from joyai_ros.models.folder import write_lock
from joyai_ros.models.pipeline_folder import EDIT, PLUS, check_pipeline


@pytest.fixture
def folder(edit_folder, tmp_path):
    """A copy that may be broken."""
    return shutil.copytree(edit_folder, tmp_path / "pipeline")


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_a_folder_holds(edit_folder, plus_folder):
    found = check_pipeline(edit_folder)
    assert (found.kind, set(found.size)) == (EDIT, {"transformer", "vae", "text_encoder"})
    assert found.size["vae"] == (edit_folder / "vae/diffusion_pytorch_model.safetensors").stat().st_size
    assert check_pipeline(plus_folder).kind == PLUS


def test_loading_takes_no_network(edit_folder, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    parts = load_pipeline(edit_folder)
    assert parts.multiple == 16
    assert not any(weight.requires_grad for weight in parts.transformer.parameters())


def test_in_bfloat16_and_without_the_text_encoder(folder):
    shutil.rmtree(folder / "text_encoder")
    with pytest.raises(PipelineFolderError, match="the pipeline has no text_encoder"):
        load_pipeline(folder)
    parts = load_pipeline(folder, PipelineLoading(precision="bfloat16", text_encoder=False))
    assert parts.text_encoder is None
    assert parts.transformer.img_in.weight.dtype == torch.bfloat16

    class Constant:
        def states(self, images, prompts):
            return [torch.ones((6, 192), dtype=torch.bfloat16) for _ in prompts]

    image = Sampler(parts, Constant()).draw([DrawRequest("x")], (32, 48), Preset(steps=2)).images[0]
    assert image.shape == (32, 48, 3)
    exact = load_pipeline(folder, PipelineLoading(precision="float32", text_encoder=False))
    other = Sampler(exact, Constant()).draw([DrawRequest("x")], (32, 48), Preset(steps=2)).images[0]
    assert np.abs(image.astype(int) - other).mean() < 3


def test_in_turn_one_large_part_at_a_time_is_on_the_device(edit_folder, monkeypatch):
    parts = load_pipeline(edit_folder, PipelineLoading(in_turn=True))
    moves = []
    for name in ("text_encoder", "transformer"):
        monkeypatch.setattr(getattr(parts, name), "to", lambda place, name=name: moves.append((name, str(place))))
    object.__setattr__(parts, "device", torch.device("cpu:0"))  # where they work, told from where they rest
    sampler = Sampler(parts)
    there_and_back = [("text_encoder", "cpu:0"), ("text_encoder", "cpu")]
    then = [("transformer", "cpu:0"), ("transformer", "cpu")]
    sampler.draw([DrawRequest("A cup.")], (32, 32), Preset(steps=1))
    assert moves == there_and_back + then
    moves.clear()
    with pytest.raises(DrawCanceledError):
        sampler.draw([DrawRequest("A cup.", 1)], (32, 32), Preset(steps=1), is_canceled=lambda: True)
    assert moves == then  # the prompt is remembered


@pytest.mark.parametrize(("key", "value"), [("precision", "float8"), ("device", "cuda:7"), ("device", "gpu")])
def test_no_such_precision_or_device(edit_folder, key, value):
    with pytest.raises(ConfigError, match=value):
        load_pipeline(edit_folder, PipelineLoading(**{key: value}))


def test_no_pipeline_at_all(tmp_path, small_folder):
    with pytest.raises(PipelineFolderError, match="there is no folder"):
        load_pipeline(tmp_path / "nowhere")
    with pytest.raises(PipelineFolderError, match=r"lacks model_index\.json"):
        load_pipeline(small_folder)  # an MLLM by itself


def test_another_pipeline(folder):
    index = folder / "model_index.json"
    edit(index, transformer=["pipeline_of_mine", "JoyImageEditTransformer3DModel2"])
    with pytest.raises(PipelineFolderError, match="as its transformer; only JoyImageEditTransformer3DModel can"):
        load_pipeline(folder)
    edit(index, _class_name="FluxPipeline")
    with pytest.raises(PipelineFolderError, match="names the pipeline FluxPipeline"):
        load_pipeline(folder)
    index.write_text("[")
    with pytest.raises(PipelineFolderError, match="is no JSON mapping"):
        load_pipeline(folder)


def test_pickles_are_refused(folder):
    torch.save({}, folder / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelFolderError, match="is a pickle"):
        load_pipeline(folder)


def test_weights_that_are_cut_off_or_missing(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelFolderError, match="where its header says"):
        load_pipeline(folder)
    path.write_bytes(whole)
    tensors = load_file(path)
    del tensors["proj_out.weight"]
    save_file(tensors, path)
    with pytest.raises(PipelineFolderError, match=r"lacks the tensor proj_out\.weight"):
        load_pipeline(folder)
    path.unlink()
    with pytest.raises(ModelFolderError, match="has no weights"):
        load_pipeline(folder)


def test_weights_that_are_not_what_was_downloaded(folder):
    write_lock(folder, "owner/name", "0" * 40)
    assert load_pipeline(folder, PipelineLoading(hashes=True)).kind == EDIT
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load_pipeline(folder).kind == EDIT  # one bit in a weight, which only the hash shows
    with pytest.raises(ModelFolderError, match=r"vae/.*is not what was downloaded \(its SHA-256 differs\)"):
        load_pipeline(folder, PipelineLoading(hashes=True))


def test_shards_are_checked_against_their_index(folder):
    part = folder / "transformer"
    tensors = load_file(part / "diffusion_pytorch_model.safetensors")
    (part / "diffusion_pytorch_model.safetensors").unlink()
    names = sorted(tensors)
    places = {name: f"diffusion_pytorch_model-0000{1 + (name > names[40])}-of-00002.safetensors" for name in names}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in names if places[name] == file}, part / file)
    index = part / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert load_pipeline(folder).transformer.proj_out.weight.equal(tensors["proj_out.weight"])
    index.write_text(json.dumps({"weight_map": places | {"more.weight": places[names[0]]}}))
    with pytest.raises(ModelFolderError, match=r"no file holds the tensor more\.weight"):
        load_pipeline(folder)
    index.write_text(json.dumps({"weight_map": places | {"more.weight": "../../secret.safetensors"}}))
    with pytest.raises(ModelFolderError, match="no safetensors file of this folder"):
        load_pipeline(folder)
    index.write_text(json.dumps({"weight_map": places}))
    (part / places[names[0]]).unlink()
    with pytest.raises(ModelFolderError, match="lacks the shard"):
        load_pipeline(folder)


def test_settings_that_the_loop_would_get_wrong(folder):
    edit(folder / "scheduler" / "scheduler_config.json", use_dynamic_shifting=True)
    with pytest.raises(PipelineFolderError, match="dynamic, random or inverted steps"):
        load_pipeline(folder)
    edit(folder / "scheduler" / "scheduler_config.json", use_dynamic_shifting=False)
    edit(folder / "transformer" / "config.json", rope_type="mrope")
    with pytest.raises(PipelineFolderError, match="rope_type mrope"):
        load_pipeline(folder)


def test_a_tokenizer_that_splits_the_template_otherwise(edit_pipeline, small_folder):
    """34 tokens are dropped whatever they are: with another tokenizer, parts of the prompt would go with them."""
    from joyai_ros.models.qwen_processor import read_processor

    processor = read_processor(small_folder)
    words = ["other words than those of the template"]
    processor.tokenizer = processor.tokenizer.train_new_from_iterator(words, vocab_size=300, show_progress=False)
    with pytest.raises(PipelineFolderError, match="tokens of the system text, where 34 belong to it"):
        QwenConditioner(edit_pipeline.text_encoder, processor)
