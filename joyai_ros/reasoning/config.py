"""Settings of question answering."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from joyai_ros.reasoning.compare import CompareConfig
from joyai_ros.settings import setting


class Policy(str, enum.Enum):
    """What is published where the model and geometry contradict each other."""

    GEOMETRY = "geometry"
    MODEL = "model"
    ABSTAIN = "abstain"  # neither; both values stand in the answer


@dataclass(frozen=True)
class AskConfig:
    """How questions are answered."""

    policy: Policy = setting(
        Policy.GEOMETRY, "what is published where model and geometry contradict: geometry, model or abstain"
    )
    imagined_yaw_deg: float = setting(20.0, "imagined views look from so far to each side, deg", 1.0, 90.0)
    compare: CompareConfig = field(default_factory=CompareConfig)
