"""A trained model, averaged with others."""

import copy
import json

import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.mllm.averaging import average, check_alike
from joyai_ros.training.mllm.deepen import deepen_vision
from tests.training.packs import fresh


def scaled(model, factor):
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(factor)
    return other


def test_the_mean_is_of_the_vision_encoders_or_of_all_weights():
    model = fresh()[0]
    before = copy.deepcopy(model.state_dict())
    average(model, [(scaled(model, 2.0), 0.25, False), (scaled(model, -1.0), 0.125, True)])
    for name, weight in model.state_dict().items():
        factor = 0.625 + 0.5 - 0.125 if ".visual." in name else 0.875 - 0.125
        torch.testing.assert_close(weight, factor * before[name], rtol=1e-5, atol=1e-7)
    after = copy.deepcopy(model.state_dict())
    average(model, [])
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, after[name])


def saved(model, folder, tokens):
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": tokens}}))


def test_a_model_of_other_sizes_or_tokens_is_refused(tmp_path):
    model = fresh()[0]
    saved(model, tmp_path / "base", {"a": 0})
    saved(model, tmp_path / "other", {"a": 0})
    check_alike(model, tmp_path / "base", tmp_path / "other", whole=True)
    saved(model, tmp_path / "other", {"b": 0})
    check_alike(model, tmp_path / "base", tmp_path / "other", whole=False)
    with pytest.raises(ConfigError, match="whose tokens are others; set its whole to false"):
        check_alike(model, tmp_path / "base", tmp_path / "other", whole=True)
    wider = json.loads((tmp_path / "other" / "config.json").read_text())
    wider["text_config"]["intermediate_size"] += 16
    (tmp_path / "other" / "config.json").write_text(json.dumps(wider))
    check_alike(model, tmp_path / "base", tmp_path / "other", whole=False)
    with pytest.raises(ConfigError, match="language model differs in intermediate_size; leave that model out"):
        check_alike(model, tmp_path / "base", tmp_path / "other", whole=True)
    deepen_vision(model, 5)
    with pytest.raises(ConfigError, match="vision encoder differs in depth, deepstack_visual_indexes; leave"):
        check_alike(model, tmp_path / "base", tmp_path / "other", whole=False)
