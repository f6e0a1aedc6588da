"""What can be wrong with a model's folder, one by one; and that the full-size layout passes the same checks."""

import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.small_model import full_config
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.folder import LOCK, check_folder, write_lock
from joyai_ros.models.shapes import compare_shapes, expected_shapes, read_config
from joyai_ros.models.weight_files import Tensor, read_tensors

SHARD = "model-00003-of-00005.safetensors"


@pytest.fixture
def folder(small_folder, tmp_path) -> Path:
    return Path(shutil.copytree(small_folder, tmp_path / "model"))


def edit(path: Path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def check_shapes(folder: Path) -> int:
    """The checks of ``joyai-ros models check``, hashes apart."""
    report = check_folder(folder, hashes=False)
    expected = expected_shapes(read_config(folder))
    compare_shapes(folder, read_tensors(folder, report.shards), expected)
    return report.tensors


def test_a_good_folder(folder):
    report = check_folder(folder)
    assert len(report.shards) == 5 and report.tensors == check_shapes(folder) > 100 and report.hashed == 0
    assert report.size == sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_the_authors_layout(small_folder, tmp_path):
    shutil.copytree(small_folder, tmp_path / "JoyAI-Image-Und")
    (tmp_path / "transformer.pth").write_bytes(b"not ours to load")
    assert check_folder(tmp_path).folder == tmp_path / "JoyAI-Image-Und"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickles_are_refused(folder, name):
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelFolderError, match=f"{re.escape(name)} is a pickle, which can run code"):
        check_folder(folder)


@pytest.mark.parametrize("name", [SHARD, "tokenizer.json", "preprocessor_config.json", "config.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"lacks .*{re.escape(name)}"):
        check_folder(folder)


def test_no_weights_at_all(folder):
    for path in folder.glob("model*"):
        path.unlink()
    with pytest.raises(ModelFolderError, match="has no weights"):
        check_folder(folder)


def test_no_chat_template(folder):
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelFolderError, match="has no chat template"):
        check_folder(folder)
    edit(folder / "tokenizer_config.json", chat_template="{{ messages }}")
    assert check_folder(folder).tensors > 100


def test_another_architecture(folder):
    edit(folder / "config.json", architectures=["Qwen2_5_VLForConditionalGeneration"])
    with pytest.raises(ModelFolderError, match="names the architecture Qwen2_5_VLForConditionalGeneration; only"):
        check_folder(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"architectures": 3', '{"architectures": []}'])
def test_a_configuration_that_is_none(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelFolderError, match=r"config\.json"):
        check_folder(folder)


def test_a_shard_that_was_cut_off(folder):
    content = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(content[:-100])
    with pytest.raises(ModelFolderError, match=f"{len(content) - 100} bytes where its header says {len(content)}"):
        check_folder(folder)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b"\x08\0\0\0\0\0\0\0" + b'{"a": 1}'])
def test_a_shard_that_is_none(folder, content):
    (folder / SHARD).write_bytes(content)
    with pytest.raises(ModelFolderError, match="is no safetensors file"):
        check_folder(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "model.bin", "/etc/passwd"])
def test_an_index_that_points_elsewhere(folder, name):
    index = folder / "model.safetensors.index.json"
    weights = json.loads(index.read_text())["weight_map"]
    edit(index, weight_map=dict.fromkeys(weights, name))
    with pytest.raises(ModelFolderError, match="which is no safetensors file of this folder"):
        check_folder(folder)


def test_an_index_that_promises_too_much(folder):
    index = folder / "model.safetensors.index.json"
    edit(index, weight_map=json.loads(index.read_text())["weight_map"] | {"model.extra": SHARD})
    with pytest.raises(ModelFolderError, match=r"no file holds the tensor model\.extra"):
        check_folder(folder)


def test_a_flipped_bit_is_found_by_its_hash(folder):
    write_lock(folder, "owner/name", "c0ffee")
    read = []
    assert check_folder(folder, on_file=read.append).hashed == len(read) == len(list(folder.iterdir())) - 1
    content = bytearray((folder / SHARD).read_bytes())
    content[-1] ^= 1
    (folder / SHARD).write_bytes(content)
    with pytest.raises(ModelFolderError, match=f"{SHARD} is not what was downloaded"):
        check_folder(folder)
    assert check_folder(folder, hashes=False).hashed == 0
    (folder / LOCK).write_text("{}")
    with pytest.raises(ModelFolderError, match="cannot be read"):
        check_folder(folder)


def test_weights_of_another_size_than_the_configuration(folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 640
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelFolderError, match=r"mlp\.\w+\.weight has shape \(.*\) where config\.json asks for \(.*640"
    ):
        check_shapes(folder)
    with pytest.raises(ModelFolderError, match=r"lacks the tensor lm_head\.weight"):
        compare_shapes(folder, {}, {"lm_head.weight": (1, 1)})


def test_the_full_size_layout_passes_the_same_checks(folder):
    """Qwen3-VL-8B with files of the full length that take no room on the disk: their weights are holes."""
    config = full_config()
    expected = expected_shapes(config)
    assert sum(_count(shape) for shape in expected.values()) == pytest.approx(8.77e9, rel=0.001)
    for path in folder.glob("model*"):
        path.unlink()
    weights = {}
    names = list(expected)
    for number in range(4):
        shard = f"model-{number + 1:05}-of-00004.safetensors"
        held = names[number::4]
        write_hollow(folder / shard, {name: expected[name] for name in held})
        weights |= dict.fromkeys(held, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    config.architectures = ["Qwen3VLForConditionalGeneration"]
    config.save_pretrained(folder)
    assert check_shapes(folder) == len(expected)
    assert check_folder(folder, hashes=False).size > 17e9
    assert read_tensors(folder, [weights["lm_head.weight"]])["lm_head.weight"] == Tensor("BF16", (151936, 4096))


def write_hollow(path: Path, shapes: dict[str, tuple[int, ...]]):
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * _count(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
