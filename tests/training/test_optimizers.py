"""Which optimiser moves which weights, and how far."""

import dataclasses
import os
import signal

import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch
from accelerate import Accelerator, DistributedType

from joyai_ros.errors import ConfigError
from joyai_ros.training.loop import LoopSettings, Optimizer, StoppedError, train
from joyai_ros.training.optimizers import optimizers_of

SETTINGS = LoopSettings(
    steps=8, learning_rate=0.02, warmup=2, weight_decay=0.1, save_every=3, seed=5, optimizer=Optimizer.MUON
)


class Net(torch.nn.Module):
    """Rows that are looked up, a matrix between, and an outermost one that is tied to the rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rows = torch.nn.Embedding(10, 12)
        self.between = torch.nn.Linear(12, 12)
        self.slow = torch.nn.Linear(12, 12, bias=False)
        self.last = torch.nn.Linear(12, 10, bias=False)
        self.last.weight = self.rows.weight

    def forward(self, numbers):
        return self.last(self.slow(torch.tanh(self.between(self.rows(numbers)))))


class Next:
    """Learns which number follows; ``stops`` is called before each batch with its step."""

    def __init__(self, stops=None) -> None:
        self.module, self._stops = Net(), stops

    def groups(self):
        slow = self.module.slow.weight
        others = [weight for weight in self.module.parameters() if weight is not slow]
        return [{"params": others}, {"params": [slow], "scale": 0.1}]

    def batch(self, step, part):
        if self._stops is not None:
            self._stops(step)
        numbers = torch.randint(10, (64,), generator=torch.Generator().manual_seed(step))
        return numbers, (3 * numbers + 1) % 10

    def loss(self, batch, generator):
        return torch.nn.functional.cross_entropy(self.module(batch[0]), batch[1]), {}


def weights(learner):
    return {name: weight.detach().clone() for name, weight in learner.module.named_parameters()}


def test_muon_steps_alike_in_the_directions_of_a_gradient(tmp_path):
    before, learner = weights(Next()), Next()
    train(learner, dataclasses.replace(SETTINGS, steps=1, warmup=0, weight_decay=0.0, clip=0.0), tmp_path)
    moved = {name: after - before[name] for name, after in weights(learner).items()}
    for name, rate in {"between.weight": 0.02, "slow.weight": 0.002}.items():
        along = torch.linalg.svdvals(moved[name])[:8]  # ten numbers give gradients of not many more directions
        assert along.max() < 2 * along.min(), name
        # As long as a step of AdamW usually is, which is 0.2 of the rate for each weight.
        assert moved[name].square().mean().sqrt() == pytest.approx(0.2 * rate, rel=0.3), name
    # The first step of Adam is the learning rate, whatever the gradient.
    for name in ("rows.weight", "between.bias"):
        assert moved[name].abs().max() == pytest.approx(0.02, rel=1e-3), name


def test_it_learns(tmp_path):
    learner = Next()
    train(learner, dataclasses.replace(SETTINGS, steps=60), tmp_path)
    numbers = torch.arange(10)
    assert (learner.module(numbers).argmax(-1) == (3 * numbers + 1) % 10).all()


def test_interrupted_it_goes_on_to_the_same_weights(tmp_path):
    whole, again = Next(), Next()
    at_once = train(whole, SETTINGS, tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(Next(lambda step: step == 5 and os.kill(os.getpid(), signal.SIGTERM)), SETTINGS, tmp_path / "again")
    later = train(again, SETTINGS, tmp_path / "again")
    assert later.resumed_from == 6 and abs(later.loss - at_once.loss) <= 1e-6
    for name, weight in weights(again).items():
        assert torch.allclose(weight, weights(whole)[name], atol=1e-7, rtol=0), name


def test_without_matrices_between_there_is_adamw_alone():
    learner = Next()
    learner.module.requires_grad_(False)
    learner.module.between.bias.requires_grad_(True)
    (only,) = optimizers_of(learner, SETTINGS)
    assert isinstance(only, torch.optim.AdamW)
    learner.module.requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        optimizers_of(learner, SETTINGS)


def test_a_pytorch_without_it_is_said_to_be_one(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"has no Muon.*adamw"):
        optimizers_of(Next(), SETTINGS)


def test_parts_of_matrices_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(Accelerator, "distributed_type", DistributedType.FSDP)
    with pytest.raises(ConfigError, match="whole matrices"):
        train(Next(), SETTINGS, tmp_path)
