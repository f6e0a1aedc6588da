"""The stages of training what draws views, one after the other; each is a run of its own that can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from joyai_ros import __version__
from joyai_ros.errors import ConfigError, InputError
from joyai_ros.imagination.opening import find_drawing_model
from joyai_ros.models.angles import Angles
from joyai_ros.models.pipeline_folder import EDIT
from joyai_ros.training.loop import Learner, LoopSettings, Trained, train
from joyai_ros.training.mllm.result import write_card
from joyai_ros.training.processes import is_sharded, leaving_processes, process_state
from joyai_ros.training.view.cache import Cache, digest_of
from joyai_ros.training.view.config import Stage, ViewTraining
from joyai_ros.training.view.examples import Examples, read_examples
from joyai_ros.training.view.flow import FlowLearner, Material, Shares
from joyai_ros.training.view.pipeline import loaded_parts, merge_lora, with_lora, write_pipeline
from joyai_ros.training.view.scratch import Parts, scratch_parts
from joyai_ros.training.view.vae import VaeLearner, begin_linear, normalise
from joyai_ros.training.view.words import WordsLearner

MODEL = "model"
_LOOKED_AT = 64  # images that prompts are about while the MLLM learns to read them

Progress = Callable[[Stage, int, int, float], None]


@dataclass(frozen=True)
class TrainedView:
    """What training came to.

    Attributes:
        folder: of the pipeline.
        card: its file.
        stages: what each stage came to.
        data_hash: of the store.
        frames, pairs: that it learned from.
        parameters: of MMDiT, VAE and MLLM together.
        is_main: of several processes, whether this one wrote them.
    """

    folder: Path
    card: Path
    stages: Mapping[Stage, Trained]
    data_hash: str
    frames: int
    pairs: int
    parameters: int
    is_main: bool


@leaving_processes()
def train_view(config: ViewTraining, out: Path, command: str, progress: Progress | None = None) -> TrainedView:
    """Train a pipeline, or go on where an earlier run stopped; ``out/model`` is what came of it.

    Args:
        config: what is trained on what.
        out: folder of the stages, of what is cached, and of the result.
        command: for the card.
        progress: called after each step with the stage, the step from 1, the number of steps, and the loss.

    Raises:
        InputError: store, base or settings cannot be used.
        ConfigError: ``out`` holds a run of other settings, or the processes are to share the weights.
        StoppedError, DivergedError, OutputError: as :func:`joyai_ros.training.loop.train`.
    """
    if is_sharded():
        raise ConfigError(
            "train view writes the networks that each process has whole, and FSDP gives each a part; launch it without FSDP"
        )
    examples = read_examples(config)
    wants_pairs = Stage.MOVE in config.stages
    if wants_pairs and not examples.pairs:
        raise InputError(f"{config.data} has no pairs of views that are asked for; widen most_yaw and its like")
    angles = Angles()
    if config.base:
        base = find_drawing_model(config.base)
        parts, angles = loaded_parts(base.folder), base.card.angles
    else:
        parts = scratch_parts(config.scratch, config.seed)
    run = _Run(config, Path(out), parts, examples, angles, progress)
    stages = {stage: run.do(stage) for stage in Stage if stage in config.stages}
    networks = (parts.transformer, parts.vae, parts.text_encoder)
    found = TrainedView(
        folder=out / MODEL,
        card=out / f"{config.name}.yaml",
        stages=stages,
        data_hash=examples.store.manifest.data_hash(),
        frames=len(examples.frames),
        pairs=len(examples.pairs),
        parameters=sum(weight.numel() for network in networks for weight in network.parameters()),
        is_main=process_state().is_main_process,
    )
    if not found.is_main:
        return found
    write_pipeline(parts, found.folder, config.result)
    origin = f"from {config.base}" if config.base else "from scratch"
    what = f"{config.name}: trained {origin} by joyai-ros train view, on {found.pairs} pairs of {found.frames} views"
    write_card(found.card, config.name, what, config.result, found.parameters, _training(config, command, found), EDIT)
    return found


def _training(config: ViewTraining, command: str, found: TrainedView) -> dict[str, Any]:
    """Return what the card says of the training."""
    return {
        "command": command,
        "version": __version__,
        "torch": str(torch.__version__),
        "base": config.base or None,
        "data": {Path(config.data).name: found.data_hash},
        "seed": config.seed,
        "steps": {stage.value: trained.steps for stage, trained in found.stages.items()},
        "loss": {stage.value: round(trained.loss, 6) for stage, trained in found.stages.items()},
        "seconds": round(sum(trained.seconds for trained in found.stages.values())),
    }


@dataclass(frozen=True)
class _Run:
    config: ViewTraining
    out: Path
    parts: Parts
    examples: Examples
    angles: Angles
    progress: Progress | None

    def do(self, stage: Stage) -> Trained:
        """Train one stage, or find that it is done; the parts then have its weights."""
        return {Stage.WORDS: self._words, Stage.VAE: self._vae, Stage.DRAW: self._draw, Stage.MOVE: self._move}[stage]()

    def _words(self) -> Trained:
        some = np.linspace(0, len(self.examples.frames) - 1, _LOOKED_AT).astype(int)
        learner = WordsLearner(self.parts, self.config, [self.examples.image(int(number)) for number in some])
        config = self.config.words
        begun = digest_of(self.parts.text_encoder)
        return self._train(Stage.WORDS, learner, config.loop, begun, {"batch": config.batch})

    def _vae(self) -> Trained:
        config, images = self.config.vae, self.examples.images()
        begun = digest_of(self.parts.vae)
        if not self.config.base:
            begin_linear(self.parts.vae, images)
        learner = VaeLearner(self.parts.vae, self.config, images)
        of = {"batch": config.batch, "kl": config.kl, "edges": config.edges, "mirror": self.config.mirror}
        trained = self._train(Stage.VAE, learner, config.loop, begun, of)
        self.parts.vae.eval()
        normalise(self.parts.vae, images)
        return trained

    def _draw(self) -> Trained:
        cache, config = self._cache(), self.config.draw
        count = len(self.examples.frames)
        material = Material(cache.of_frames(), np.arange(count), None, cache.of_descriptions(), None, None, cache.grid)
        learner = FlowLearner(self.parts.transformer, material, Shares(config.batch), self._shift(), self.config.seed)
        begun = digest_of(self.parts.transformer)
        return self._train(Stage.DRAW, learner, config.loop, begun, {"batch": config.batch})

    def _move(self) -> Trained:
        cache, config, pairs = self._cache(), self.config.move, self.examples.pairs
        material = Material(
            frames=cache.of_frames(),
            targets=np.array([pair.target for pair in pairs]),
            sources=np.array([pair.source for pair in pairs]),
            prompts=cache.of_prompts(self.angles),
            wordless=cache.of_wordless() if config.wordless else None,
            starts=cache.of_starts() if config.guided else None,
            grid=cache.grid,
        )
        shares = Shares(config.batch, config.wordless, config.guided, (config.least_level, config.most_level))
        transformer = self.parts.transformer
        begun = digest_of(transformer)
        if config.lora:
            with_lora(transformer, config.lora)
        learner = FlowLearner(transformer, material, shares, self._shift(), self.config.seed)
        # How pairs are shown may change while the network learns; which pairs these are may not.
        of = {"batch": config.batch, "lora": config.lora, "pairs": len(pairs)}
        trained = self._train(Stage.MOVE, learner, config.loop, begun, of)
        if config.lora:
            merge_lora(transformer)
        return trained

    def _train(self, stage: Stage, learner: Learner, loop: LoopSettings, begun: str, of: dict[str, Any]) -> Trained:
        """Train one network; ``begun`` is a digest of its weights before, and ``of`` says what else a checkpoint is of."""
        data = self.examples.store.manifest.data_hash()
        identity = {"stage": stage.value, "data": data, "seed": self.config.seed, "begun": begun, **of}

        def told(step: int, steps: int, loss: float) -> None:
            if self.progress is not None:
                self.progress(stage, step, steps, loss)

        return train(learner, loop, self.out / stage.value, told, identity)

    def _cache(self) -> Cache:
        for network in (self.parts.vae, self.parts.text_encoder):
            network.eval().requires_grad_(False)
        return Cache(self.out / "cache", self.parts, self.config, self.examples)

    def _shift(self) -> float:
        return float(self.parts.scheduler.config.shift)
