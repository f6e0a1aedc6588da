"""Training an MLLM, from settings to a folder with its card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from joyai_ros import __version__
from joyai_ros.errors import ConfigError
from joyai_ros.models.card import FOLDER_CARD
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.folder import check_folder
from joyai_ros.models.store import find_model
from joyai_ros.training.checkpoints import trained_weights
from joyai_ros.training.data.store import Store
from joyai_ros.training.loop import Trained, train
from joyai_ros.training.mllm.averaging import average, check_alike
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import exercises_of
from joyai_ros.training.mllm.deepen import deepen_vision
from joyai_ros.training.mllm.documents import Encoder
from joyai_ros.training.mllm.learner import MllmLearner
from joyai_ros.training.mllm.lora import merged, with_lora
from joyai_ros.training.mllm.mixture import Mixture, Pool, pools_of
from joyai_ros.training.mllm.result import write_card, write_model
from joyai_ros.training.mllm.samples import Pictures, Sample, read_datasets
from joyai_ros.training.mllm.scratch import renew_vision, scratch_model
from joyai_ros.training.processes import leaving_processes, process_state
from joyai_ros.understanding.config import Attention, Loading, Precision
from joyai_ros.understanding.loading import load_model
from joyai_ros.understanding.processor import load_processor

START, MODEL = "start", "model"
_TEXTS = 10_000  # samples whose words a new tokenizer is trained on, at most


@dataclass(frozen=True)
class TrainedMllm:
    """What training came to.

    Attributes:
        folder: of the model.
        card: its file.
        trained: what the loop says.
        samples: how many there were to draw from.
        parameters: of the model.
        data: hash of each store, by its folder's name.
        is_main: of several processes, whether this one wrote them.
    """

    folder: Path
    card: Path
    trained: Trained
    samples: int
    parameters: int
    data: Mapping[str, str]
    is_main: bool


@leaving_processes()
def train_mllm(
    config: MllmTraining, out: Path, command: str, progress: Callable[[int, int, float], None] | None = None
) -> TrainedMllm:
    """Train, or go on where an earlier run stopped; ``out/model`` is what came of it.

    Args:
        config: what is trained on what.
        out: folder of checkpoint and log, of the model to begin with where it is from scratch, and of the result.
        command: for the card.
        progress: as for :func:`joyai_ros.training.loop.train`.

    Raises:
        InputError: a store, the base or the settings cannot be used.
        JoyaiError: as for :func:`joyai_ros.training.loop.train`.
    """
    config.check()
    stores = _stores(config)
    pools = pools_of({name: _datasets(store, config) for name, store in stores.items()})
    count = sum(len(pool.samples) for pool in pools)
    state = process_state()
    with state.main_process_first():
        base = _base(config, out, pools)
    # Trained weights are kept as they are asked for, wherever they are: the loop moves them.
    how = Loading(precision=Precision(config.weights.value), attention=Attention.SDPA, device="cpu")
    model = load_model(base, how)
    for each in config.mean:
        check_alike(model, base, _folder(each.model), each.whole)
    if config.new_vision:
        renew_vision(model, config.loop.seed)
    encoder = Encoder(load_processor(base), Pictures(stores.values(), config.split), config.pixels)
    learner = MllmLearner(model, Mixture(config, pools, encoder), config)
    data = {name: store.manifest.data_hash() for name, store in stores.items()}
    trained = train(learner, config.loop, out, progress, _identity(config, data))
    card, parameters = out / f"{config.name}.yaml", model.num_parameters()
    done = TrainedMllm(out / MODEL, card, trained, count, parameters, data, state.is_main_process)
    if not state.is_main_process:
        return done
    write_model(_result(load_model(base, how), config, out), base, out / MODEL, config.result)
    origin = f"from {config.base}" if config.base else "from scratch"
    what = f"{config.name}: trained {origin} by joyai-ros train mllm, on {count} samples of {', '.join(data)}"
    listing = find_model(config.base).card.listing if config.base else config.scratch.listing
    training = _training(config, data, command, trained)
    for path in (card, out / MODEL / FOLDER_CARD):  # the folder alone says what it is, too
        write_card(path, config.name, what, config.result, parameters, training, listing=listing)
    return done


def _result(model: Any, config: MllmTraining, out: Path) -> Any:
    """Return the model with what was trained, from the last checkpoint: it is whole there, whatever the number of processes."""
    module = with_lora(model, config.lora)
    module.load_state_dict(trained_weights(out), strict=False)
    model = merged(module, config.lora)
    how = Loading(precision=Precision(config.weights.value), device="cpu")
    average(model, [(load_model(_folder(each.model), how), each.share, each.whole) for each in config.mean])
    return model


def _datasets(store: Store, config: MllmTraining) -> dict[str, Sequence[Sample]]:
    """Return the questions of a store, and where they are wanted the exercises with its frames."""
    found = read_datasets(store, config.split)
    return {**found, **exercises_of(store, config.split, config.loop.seed)} if config.exercises else found


def _stores(config: MllmTraining) -> dict[str, Store]:
    found: dict[str, Store] = {}
    for folder in config.stores:
        store = Store(Path(folder))
        if store.folder.name in found:
            raise ConfigError(f"two stores are called {store.folder.name}; mixtures name them, so rename one")
        found[store.folder.name] = store
    return found


def _base(config: MllmTraining, out: Path, pools: Sequence[Pool]) -> Path:
    """Return the folder of the model to begin with; one from scratch is made once, so that a resumed run has the same."""
    if config.base:
        folder = _folder(config.base)
        return _deepened(folder, config, out / START) if config.vision_layers else folder
    folder = out / START
    if not (folder / "config.json").is_file():
        model, processor = scratch_model(
            config.scratch, [] if config.scratch.listing else _texts(pools), config.loop.seed
        )
        folder.mkdir(parents=True, exist_ok=True)
        processor.tokenizer.save_pretrained(folder)
        processor.image_processor.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(processor.chat_template, encoding="utf-8")
        write_model(model, folder, folder, config.weights)
    return folder


def _folder(name: str) -> Path:
    """Return the folder of a card or folder of a model that answers."""
    found = find_model(name)
    if found.card.draws:
        raise ModelFolderError(f"{name} draws images; give a model that answers questions")
    return check_folder(found.folder, hashes=False).folder


def _deepened(base: Path, config: MllmTraining, folder: Path) -> Path:
    """Return the folder of a base with a deeper vision encoder; it is made once."""
    if not (folder / "config.json").is_file():
        model = load_model(base, Loading(precision=Precision(config.weights.value), device="cpu"))
        deepen_vision(model, config.vision_layers)
        write_model(model, base, folder, config.weights)
    return folder


def _texts(pools: Sequence[Pool]) -> list[str]:
    """Return what a new tokenizer learns its words from: as much of each dataset, evenly spread over it."""
    found = []
    for pool in pools:
        for number in range(0, len(pool.samples), max(1, len(pool.samples) * len(pools) // _TEXTS)):
            sample = pool.samples[number]
            turns = [(sample.prompt, sample.answer), *sample.more]
            found += [sample.lead, *(text for turn in turns for text in turn)]
    return found


def _identity(config: MllmTraining, data: Mapping[str, str]) -> dict[str, Any]:
    """Return what a checkpoint must agree with."""
    kept = dataclasses.asdict(config)
    for name in ("loop", "name", "result", "stores"):
        kept.pop(name)
    return {"model": json.loads(json.dumps(kept)), "data": dict(data)}


def _training(config: MllmTraining, data: Mapping[str, str], command: str, trained: Trained) -> dict[str, Any]:
    return {
        "command": command,
        "version": __version__,
        "torch": str(torch.__version__),
        "base": config.base or None,
        "data": dict(data),
        "split": config.split,
        "seed": config.loop.seed,
        "steps": trained.steps,
        "loss": round(trained.loss, 6),
        "seconds": round(trained.seconds, 1),
    }
