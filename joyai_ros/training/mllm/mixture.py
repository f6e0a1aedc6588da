"""Which samples make a pack: drawn by stage and mixture, from (seed, step, part) alone, until the pack is full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from joyai_ros.errors import ConfigError, InputError
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import GLANCES
from joyai_ros.training.mllm.documents import Document, Encoder
from joyai_ros.training.mllm.samples import Sample

_FULL = 0.97  # of the tokens; then nothing more is looked for
_TRIES = 12  # samples that did not fit, after which a pack is as full as it gets


@dataclass(frozen=True)
class Pool:
    """Samples that are drawn from alike.

    Attributes:
        store: name of the folder that they are from.
        dataset: their name for themselves.
        samples: all of them.
    """

    store: str
    dataset: str
    samples: Sequence[Sample]

    @property
    def names(self) -> tuple[str, str, str]:
        """By which a mixture can mean it."""
        return self.dataset, self.store, f"{self.store}/{self.dataset}"


def pools_of(stores: Mapping[str, Mapping[str, Sequence[Sample]]]) -> list[Pool]:
    """Return the datasets of stores, each by its name."""
    return [Pool(store, name, found[name]) for store, found in sorted(stores.items()) for name in sorted(found)]


class Mixture:
    """Draws samples and packs them."""

    def __init__(self, config: MllmTraining, pools: Sequence[Pool], encoder: Encoder) -> None:
        """Work out the shares of every stage.

        Raises:
            ConfigError: a mixture names what there is not, or for a LoRA what it cannot learn from.
        """
        self._config, self._pools, self._encoder = config, pools, encoder
        self._shares = [self._of(stage.mix) for stage in config.stages]
        drawn = {
            pool.dataset for shares in self._shares for pool, share in zip(pools, shares, strict=True) if share > 0
        }
        if config.lora.rank and not config.lora.vision and GLANCES in drawn:
            raise ConfigError(
                f"this LoRA leaves the vision encoder as it is, and {GLANCES} train nothing else; name other datasets in "
                "the mix of every stage, or set lora.vision"
            )
        self._general = [bool(set(pool.names) & set(self._known(config.keep.general))) for pool in pools]

    def documents(self, step: int, part: int) -> list[Document]:
        """Return the documents of a pack; always the same for the same numbers.

        Of a sample that is too long for a pack the last turns are left out.

        Raises:
            InputError: a sample is longer than a pack.
            StoreError: an image cannot be read.
        """
        random = np.random.default_rng([self._config.loop.seed, step, part])
        shares = self._shares[self._config.stage_of(step)]
        found: list[Document] = []
        room, misses = self._config.tokens, 0
        while misses < _TRIES and room > (1.0 - _FULL) * self._config.tokens:
            number = int(random.choice(len(self._pools), p=shares))
            samples = self._pools[number].samples
            sample = samples[int(random.integers(len(samples)))]
            document = self._encoder.encode(sample, self._general[number])
            while len(document) > self._config.tokens and sample.more:
                sample = replace(sample, more=sample.more[: len(sample.more) // 2])
                document = self._encoder.encode(sample, self._general[number])
            if len(document) > self._config.tokens:
                raise InputError(
                    f"the sample {sample.id} has {len(document)} tokens and a pack {self._config.tokens}; set tokens "
                    "higher, or pixels lower"
                )
            if len(document) > room:
                misses += 1
                continue
            found.append(document)
            room -= len(document)
        return found

    def _of(self, mix: Mapping[str, float]) -> np.ndarray:
        sizes = np.array([len(pool.samples) for pool in self._pools], dtype=float)
        if not mix:
            return sizes / sizes.sum()
        shares = np.zeros(len(self._pools))
        for name in self._known(mix):
            members = np.array([name in pool.names for pool in self._pools])
            shares += mix[name] * np.where(members, sizes, 0.0) / sizes[members].sum()
        if shares.sum() <= 0:
            raise ConfigError(f"the mixture {dict(mix)} draws nothing; give one of them a number above 0")
        return shares / shares.sum()

    def _known(self, names: Iterable[str]) -> list[str]:
        known = sorted({name for pool in self._pools for name in pool.names})
        for name in names:
            if name not in known:
                raise ConfigError(f"there is no dataset {name!r}; there are {', '.join(known)}")
        return list(names)
