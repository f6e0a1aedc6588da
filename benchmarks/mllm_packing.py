"""What packing gives: samples a second and the share of real tokens, packed and in padded batches of the same samples.

A new model of the size of small-und learns from the mixture of its recipe, made of a small store, once with packs and once as
trainers do it without: samples padded on the right to the longest of their batch, a mask, and the stock model's own loss. Both
see the same samples in the same order, as many in a step, and take turns. Time is processor time of one thread: forward,
backward and optimiser.

OMP_NUM_THREADS=1 python -m benchmarks.mllm_packing
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from joyai_ros.settings import load
from joyai_ros.training.data.build import build_store, simulator_sources
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.store import Store
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import exercises_of
from joyai_ros.training.mllm.documents import Document, Encoder
from joyai_ros.training.mllm.learner import MllmLearner
from joyai_ros.training.mllm.mixture import Mixture, pools_of
from joyai_ros.training.mllm.packing import pack
from joyai_ros.training.mllm.samples import Pictures, read_datasets
from joyai_ros.training.mllm.scratch import scratch_model

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.mllm_packing"
STORE = ("simulator.longest_side=160", "split.test=0", "split.validation=0", "questions.tasks=[color]")
SCENES, STEPS = 8, 12
RECIPE = Path(__file__).parents[1] / "models" / "recipes" / "small-und.yaml"
START = RECIPE.with_name("small-und-start.yaml")  # with the sizes of its model
LEAST_REAL, LEAST_GAIN = 0.95, 1.5
IGNORED = -100


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes:
        packed, padded: samples a second of processor time.
        filled: share of a pack's tokens that samples fill, which all are real.
        real: share of a padded batch's tokens that are real.
        samples: in a step, on average.
        difference: between the losses of both ways in the first step, where they have the same weights.
    """

    packed: float
    padded: float
    filled: float
    real: float
    samples: float
    difference: float


def measured(steps: int = STEPS) -> Outcome:
    """Train both ways for some steps."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tables"
        build_store(folder, simulator_sources(SCENES, 0), 0, load(DataConfig, None, STORE))
        store = Store(folder)
        config = load(MllmTraining, RECIPE, [f"stores=[{folder}]"])
        pools = pools_of({"tables": {**read_datasets(store, "train"), **exercises_of(store, "train", 0)}})
        sizes = load(MllmTraining, START, [f"stores=[{folder}]"]).scratch
        models = [scratch_model(sizes, [], 0) for _ in range(2)]
        mixture = Mixture(config, pools, Encoder(models[0][1], Pictures([store], "train"), config.pixels))
        # Spread over the run: its stages have mixtures of their own.
        places = [config.loop.steps * number // (steps + 1) for number in range(steps + 1)]
        batches = [list(map(plain, mixture.documents(step, 0))) for step in places]
    packed, padded = Packed(models[0][0], mixture, config), Padded(models[1][0])
    first = [way.step(batches[0]) for way in (packed, padded)]  # both begin with the same weights
    seconds = [0.0, 0.0]
    for batch in batches[1:]:
        for number, way in enumerate((packed, padded)):
            seconds[number] += timed(lambda way=way, batch=batch: way.step(batch))  # type: ignore[misc]
    lengths = [[len(document) for document in batch] for batch in batches[1:]]
    count = sum(map(len, lengths))
    return Outcome(
        packed=count / seconds[0],
        padded=count / seconds[1],
        filled=sum(map(sum, lengths)) / (config.tokens * steps),
        real=sum(map(sum, lengths)) / sum(max(each) * len(each) for each in lengths),
        samples=count / steps,
        difference=abs(first[0] - first[1]),
    )


def plain(document: Document) -> Document:
    """Return a document of which both ways learn the same: its answers, each token as much as any other."""
    nothing = torch.zeros(0, dtype=torch.long)
    return dataclasses.replace(document, weight=1.0, shows=nothing, shown=nothing)


class Packed:
    """The way of this project."""

    def __init__(self, model: Any, mixture: Mixture, config: MllmTraining) -> None:
        self._learner = MllmLearner(model, mixture, config)
        self._optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
        self._generator = torch.Generator()

    def step(self, documents: Sequence[Document]) -> float:
        """Learn from the documents and return the loss."""
        loss, _ = self._learner.loss(pack(documents), self._generator)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(loss.detach())


class Padded:
    """The usual way: the stock model, a padded batch, a mask, labels."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def step(self, documents: Sequence[Document]) -> float:
        """Learn from the documents and return the loss."""
        labels = []
        for document in documents:
            label = torch.full_like(document.tokens, IGNORED)
            label[document.before + 1] = document.wanted
            labels.append(label)
        lengths = torch.tensor([len(document) for document in documents])
        tokens = pad_sequence([document.tokens for document in documents], batch_first=True)
        patches = [document.patches for document in documents if document.patches is not None]
        grids = [document.grids for document in documents if document.grids is not None]
        images = {"pixel_values": torch.cat(patches), "image_grid_thw": torch.cat(grids)} if patches else {}
        loss = self._model(
            input_ids=tokens,
            attention_mask=(torch.arange(tokens.shape[1]) < lengths[:, None]).long(),
            labels=pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            mm_token_type_ids=(tokens == self._model.config.image_token_id).int(),
            use_cache=False,
            **images,
        ).loss
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(loss.detach())


def timed(work: Callable[[], object]) -> float:
    """Return the processor seconds that something takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def evidence() -> list[dict[str, Any]]:
    """Return the lines of ``make evidence``."""
    found = measured()
    gain = found.packed / found.padded
    return [
        {
            "line": "a pack of samples is filled, without padding",
            "figure": f"{found.filled:.1%} of its tokens (a padded batch of these: {found.real:.0%})",
            "target": f"at least {LEAST_REAL:.0%} real tokens",
            "ok": found.filled >= LEAST_REAL,
            "command": COMMAND,
        },
        {
            "line": "packed training beside padded batches of the same samples",
            "figure": f"{gain:.2f}x ({found.packed:.1f} against {found.padded:.1f} samples per second of one core)",
            "target": f"at least {LEAST_GAIN:g}x",
            "ok": gain >= LEAST_GAIN,
            "command": COMMAND,
        },
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mllm_packing", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each way ({STEPS})")
    print(measured(parser.parse_args().steps))


if __name__ == "__main__":
    main()
