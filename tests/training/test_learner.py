"""What a pack teaches: losses, gradients, and what holds a model to its teacher."""

import numpy as np
import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.training.mllm.attention import pack_attention
from joyai_ros.training.mllm.config import LoraSettings
from joyai_ros.training.mllm.documents import Encoder
from joyai_ros.training.mllm.learner import MllmLearner, divergence, token_loss
from joyai_ros.training.mllm.lora import merged
from joyai_ros.training.mllm.mixture import Mixture
from joyai_ros.training.mllm.packing import pack
from tests.training.packs import GLANCE, SAMPLES, Noise, config, fresh, outputs, pools


@pytest.fixture(scope="module")
def encoder():
    return Encoder(fresh()[1], Noise(), 4096)


def learner_of(small, encoder, **values):
    settings = config(base="x", **values)
    return MllmLearner(small[0], Mixture(settings, pools(), encoder), settings)


def gradient_of(learner, batch):
    learner.module.zero_grad()
    loss, figures = learner.loss(batch, torch.Generator())
    loss.backward()
    return figures, {name: w.grad.clone() for name, w in learner.module.named_parameters() if w.grad is not None}


def test_glances_alone_are_learned_without_the_language_model(encoder):
    learner = learner_of(fresh(), encoder)
    figures, gradients = gradient_of(learner, pack([encoder.encode(GLANCE)]))
    assert figures["answers"] == 0.0 and figures["shown"] > 0.1
    assert any(".visual." in name for name in gradients) and not any(".layers." in name for name in gradients)
    both, _ = gradient_of(learner, pack([encoder.encode(GLANCE), encoder.encode(SAMPLES[2])]))
    assert both["shown"] == pytest.approx(figures["shown"], rel=1e-4) and both["answers"] > 0.0
    taught = learner_of(fresh(), encoder, **{"keep.weight": 1.0, "keep.general": ["texts"]})
    packs = [pack([encoder.encode(sample, True)]) for sample in (GLANCE, SAMPLES[2])]
    assert len({tuple(sorted(gradient_of(taught, each)[0])) for each in packs}) == 1, (
        "processes add up the same figures"
    )


def test_layers_computed_again_give_the_same_gradients(encoder):
    keep = {"keep.weight": 1.0, "keep.general": ["texts", "colours"]}
    results = []
    for again in (False, True):
        learner = learner_of(fresh(), encoder, checkpointing=again, **keep)
        with torch.no_grad():  # away from the teacher
            learner.module.lm_head.weight.mul_(1.1)
            for layer in learner.module.model.language_model.layers:
                layer.mlp.down_proj.weight.mul_(3.0)
        learner.module.train()
        results.append(gradient_of(learner, learner.batch(0, 0)))
    (figures, plain), (figures_again, again) = results
    assert figures == pytest.approx(figures_again, rel=1e-5) and figures["divergence"] > 1e-4
    assert plain.keys() == again.keys()
    for name in plain:
        assert torch.allclose(plain[name], again[name], rtol=1e-4, atol=1e-6), name


def test_the_divergence_is_of_general_samples_alone(encoder):
    learner = learner_of(fresh(), encoder, **{"keep.weight": 2.0, "keep.general": ["texts"]})
    batch = pack([encoder.encode(sample, sample.dataset == "texts") for sample in SAMPLES])
    figures, _ = gradient_of(learner, batch)
    assert figures["divergence"] == pytest.approx(0.0, abs=1e-6)  # it is its teacher still
    with torch.no_grad():
        for layer in learner.module.model.language_model.layers:
            layer.mlp.down_proj.weight.mul_(3.0)
    moved, _ = gradient_of(learner, batch)
    text, others = pack([encoder.encode(SAMPLES[2], True)]), pack([encoder.encode(SAMPLES[0])])
    assert (
        moved["divergence"] == pytest.approx(gradient_of(learner, text)[0]["divergence"], rel=1e-4)
        and moved["divergence"] > 0
    )
    assert gradient_of(learner, others)[0]["divergence"] == 0.0


def test_the_divergence_is_kullback_and_leiblers():
    states = [torch.randn(1, 5, 7, generator=torch.Generator().manual_seed(n)) for n in range(6)]
    student, teacher, places = states[:3], states[3:], torch.tensor([1, 4])

    def plain(state):
        scaled = state / np.sqrt((state**2).mean() + 1e-6)
        return np.exp(scaled) / np.exp(scaled).sum()

    pairs = [(s[0, p].numpy(), t[0, p].numpy()) for s, t in zip(student[1:], teacher[1:], strict=True) for p in places]
    wanted = np.mean([(plain(t) * np.log(plain(t) / plain(s))).sum() for s, t in pairs])
    assert divergence(student, teacher, places).item() == pytest.approx(wanted, rel=1e-5)


ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}
EYES = {"qkv", "proj", "linear_fc1", "linear_fc2"}


@pytest.mark.parametrize(
    ("what", "layers"), [({}, ATTENTION), ({"mlp": True}, ATTENTION | MLP), ({"vision": True}, ATTENTION | EYES)]
)
def test_a_lora_changes_what_it_is_meant_to_and_is_merged(encoder, what, layers):
    pytest.importorskip("peft")
    model, processor = fresh()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    learner = learner_of(
        (model, processor),
        encoder,
        **{"lora.rank": 4, "keep.weight": 1.0, "keep.general": ["texts"]},
        **{f"lora.{name}": on for name, on in what.items()},
    )
    trained = [name for name, weight in learner.module.named_parameters() if weight.requires_grad]
    assert trained and all("lora" in name and ("visual" not in name or "vision" in what) for name in trained)
    batch = pack([encoder.encode(sample, True) for sample in SAMPLES])
    with torch.no_grad():
        for name, weight in learner.module.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
        loss, figures = learner.loss(batch, torch.Generator())
    assert figures["divergence"] > 1e-4  # the teacher is the model without the change
    whole = merged(learner.module, LoraSettings(rank=4))
    pack_attention(whole)
    with torch.no_grad():
        answers = token_loss(outputs(whole, batch).logits[:, : len(batch.wanted)], batch.wanted)
    assert answers.item() == pytest.approx(figures["answers"], rel=1e-4) and loss > answers
    changed = {
        name.rsplit(".", 2)[-2] for name, weight in whole.named_parameters() if not torch.equal(weight, before[name])
    }
    assert changed == layers
    assert torch.equal(whole.model.visual.patch_embed.proj.weight, before["model.visual.patch_embed.proj.weight"])


def test_the_vision_encoder_has_a_rate_of_its_own(encoder):
    learner = learner_of(fresh(), encoder, vision_rate=0.25)
    names = {id(weight): name for name, weight in learner.module.named_parameters()}
    others, vision = learner.groups()
    assert vision["scale"] == 0.25 and "scale" not in others
    assert all("visual" in names[id(weight)] for weight in vision["params"])
    assert not any("visual" in names[id(weight)] for weight in others["params"])
    assert len(vision["params"]) + len(others["params"]) == len(names)
    still = learner_of(fresh(), encoder, vision_rate=0.0)
    assert not any(weight.requires_grad for weight in still.groups()[1]["params"])


def test_tokens_count_by_their_weight():
    logits, wanted = torch.randn(1, 3, 7), torch.tensor([1, 5, 2])
    each = [token_loss(logits[:, k : k + 1], wanted[k : k + 1]).item() for k in range(3)]
    assert token_loss(logits, wanted).item() == pytest.approx(sum(each) / 3)
    weighted = token_loss(logits, wanted, torch.tensor([4.0, 1.0, 0.0])).item()
    assert weighted == pytest.approx((4 * each[0] + each[1]) / 5)
