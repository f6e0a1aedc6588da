"""The optimisers of a training run: AdamW for everything, or Muon for the matrices between layers and AdamW for the rest."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.loop import Learner, LoopSettings, Optimizer

_BETAS = (0.9, 0.95)
_Group: TypeAlias = dict[str, Any]


def optimizers_of(learner: Learner, settings: LoopSettings) -> list[torch.optim.Optimizer]:
    """Return the optimisers of what a learner trains, their groups with a ``scale`` of the learning rate.

    Muon makes each step of a matrix as long in all directions (Jordan et al. 2024, "Muon: An optimizer for hidden layers in
    neural networks"); with steps as large as AdamW's (Liu et al. 2025, arXiv:2502.16982) one learning rate serves both. It is
    meant for matrices between layers: not for embeddings, nor for biases and norms.

    Raises:
        ConfigError: nothing is trained, or this PyTorch has no Muon.
    """
    groups = [
        {**group, "params": [weight for weight in group["params"] if weight.requires_grad]}
        for group in learner.groups()
    ]
    if not any(group["params"] for group in groups):
        raise ConfigError("there is nothing to train: no parameter wants a gradient")
    if settings.optimizer is Optimizer.ADAMW:
        return [_adamw(groups, settings)]
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError(f"PyTorch {torch.__version__} has no Muon, 2.9 and later have; set loop.optimizer to adamw")
    embedded = {
        id(weight)
        for module in learner.module.modules()
        if isinstance(module, torch.nn.Embedding)
        for weight in module.parameters()
    }
    between, others = (
        [
            {**group, "params": [each for each in group["params"] if _is_between(each, embedded) is wanted]}
            for group in groups
        ]
        for wanted in (True, False)
    )
    found: list[torch.optim.Optimizer] = []
    muon = _with_rates(between, settings.weight_decay)
    if muon:
        found.append(torch.optim.Muon(muon, lr=0.0, adjust_lr_fn="match_rms_adamw"))
    if any(group["params"] for group in others):
        found.append(_adamw(others, settings))
    return found


def _is_between(weight: torch.nn.Parameter, embedded: set[int]) -> bool:
    return weight.ndim == 2 and id(weight) not in embedded


def _adamw(groups: list[_Group], settings: LoopSettings) -> torch.optim.Optimizer:
    """Return AdamW, each of the groups in two, because only matrices decay."""
    split = []
    for is_matrix, decay in ((True, settings.weight_decay), (False, 0.0)):
        alike = [
            {**group, "params": [each for each in group["params"] if (each.ndim > 1) is is_matrix]} for group in groups
        ]
        split += _with_rates(alike, decay)
    return torch.optim.AdamW(split, betas=_BETAS, fused=True)


def _with_rates(groups: list[_Group], decay: float) -> list[_Group]:
    """Return the groups that are not empty, with what an optimiser and the loop have to know of them."""
    return [
        {"params": group["params"], "lr": 0.0, "weight_decay": decay, "scale": float(group.get("scale", 1.0))}
        for group in groups
        if group["params"]
    ]
