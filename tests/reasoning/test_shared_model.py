"""One copy of an MLLM in a process: the model that answers and the one that tells the MMDiT what to draw."""

import gc
import shutil
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the small pipeline is saved by diffusers")
pytest.importorskip("xgrammar", reason="answers are held to a schema by xgrammar")

import torch

from joyai_ros.imagination.config import ImaginationConfig, PipelineLoading
from joyai_ros.imagination.mmdit import loading
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.opening import open_painter
from joyai_ros.models.folder import write_lock
from joyai_ros.models.precision import Weights
from joyai_ros.models.shared import Way, is_loaded
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.config import Loading, LocalSettings
from joyai_ros.understanding.formats import Text
from joyai_ros.understanding.local import LocalBackend
from tests.imagination.pictures import blocks


@pytest.fixture
def mllm(edit_folder, tmp_path):
    """The pipeline's MLLM in a folder of its own, as a model that answers questions."""
    folder = shutil.copytree(edit_folder / "text_encoder", tmp_path / "und")
    for path in (edit_folder / "processor").iterdir():
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture
def config(edit_folder):
    # A setting of its own: a process keeps the painter that it has of the same ones.
    return ImaginationConfig(model=str(edit_folder), size=64, parts=7)


def asked(backend):
    return backend.answer([ModelRequest((blocks(3),), "What is there?", Text(20), "You look at images.")])[0].text


def drawn(painter, seed=1):
    # Another prompt each time, so that the MLLM is asked.
    request = DrawRequest(f"Move {seed}.", seed, (blocks(seed),))
    return painter.sampler.draw([request], (64, 64), Preset(steps=1)).images[0]


@pytest.mark.parametrize("first", ["answers", "draws"])
def test_the_same_weights_are_there_once(first, mllm, config):
    if first == "answers":
        backend, painter = LocalBackend("und", mllm), open_painter(config)
    else:
        painter, backend = open_painter(config), LocalBackend("und", mllm)
    assert painter.sampler.pipeline.text_encoder is backend._network.model
    # Each of them does what it does alone.
    kept = weakref.ref(backend._network.model)
    together = asked(backend), drawn(painter)
    backend.close()
    del backend, painter
    gc.collect()
    assert kept() is None, "nobody holds it any more"
    assert asked(LocalBackend("und", mllm)) == together[0]
    # A processor may round the last bit of a number otherwise the second time, and so a pixel by one.
    np.testing.assert_allclose(drawn(open_painter(config)).astype(int), together[1].astype(int), atol=1)


def test_questions_and_drawings_at_the_same_time_do_not_mix(mllm, config):
    backend, painter = LocalBackend("und", mllm), open_painter(config)
    expected = asked(backend), [drawn(painter, seed) for seed in range(1, 5)]
    backend.forget()
    painter.sampler.forget()
    answers, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            answers.append(asked(backend))
            backend.forget()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        images = [drawn(painter, seed) for seed in range(1, 5)]
    finally:
        ended.set()
        thread.join()
    for image, alone in zip(images, expected[1], strict=True):
        np.testing.assert_array_equal(image, alone)
    assert answers and set(answers) == {expected[0]}


def test_what_is_loaded_otherwise_or_has_other_weights_is_another(mllm, config, edit_folder):
    backend = LocalBackend("und", mllm)
    for other in (PipelineLoading(weights=Weights.INT8), PipelineLoading(in_turn=True)):
        painter = open_painter(replace(config, loading=other))
        assert painter.sampler.pipeline.text_encoder is not backend._network.model
    small = LocalBackend("und", mllm, LocalSettings(Loading(weights=Weights.INT8)))
    assert small._network.model is not backend._network.model
    weights = next(mllm.glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert LocalBackend("und", mllm)._network.model is not backend._network.model, "one bit of one weight"
    way = Way("cpu", torch.float32, Weights.FULL)
    assert not is_loaded(edit_folder / "text_encoder", way), "the first one's files were written over"


def test_the_hashes_of_a_download_are_believed(mllm, config, monkeypatch):
    write_lock(mllm, "owner/name", "0" * 40)
    backend, read = LocalBackend("und", mllm), []
    digest = loading.shared_model.__globals__["known_hashes"].__globals__["sha256"]
    monkeypatch.setattr("joyai_ros.models.folder.sha256", lambda path: read.append(path) or digest(path))
    painter = open_painter(config)
    assert painter.sampler.pipeline.text_encoder is backend._network.model
    assert {path.parent.name for path in read} == {"text_encoder"}, "those of the other one are noted"


def test_what_is_there_needs_no_further_memory(mllm, config, monkeypatch):
    needs = []

    def refuse(what, network, *others, **named):
        needs.append(network.language)

    monkeypatch.setattr(loading, "refuse_if_it_cannot_fit", refuse)
    open_painter(replace(config, parts=8))
    backend = LocalBackend("und", mllm)
    open_painter(replace(config, parts=9))
    assert needs[0] > 0 and needs[1] == 0 and backend.name == "und"
