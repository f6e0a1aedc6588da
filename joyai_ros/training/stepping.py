"""The steps of a training run, on accelerate: one process or several, CPU or accelerators."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType

from joyai_ros.errors import ConfigError
from joyai_ros.training.checkpoints import Checkpoints
from joyai_ros.training.loop import DivergedError, Learner, LoopSettings, Optimizer, Precision, StoppedError, Trained
from joyai_ros.training.metrics import Metrics
from joyai_ros.training.optimizers import optimizers_of
from joyai_ros.training.processes import process_state


class Stepping:
    """One run, or a piece of one."""

    def __init__(self, learner: Learner, settings: LoopSettings, run: Path, identity: dict[str, Any]) -> None:
        self._learner, self._settings, self._run = learner, settings, run
        process_state()
        # A part of the parameters may have no part in a batch: the vision encoder in one of text alone.
        self._accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
        if settings.accumulation % self._accelerator.num_processes:
            raise ConfigError(
                f"accumulation is {settings.accumulation}, which {self._accelerator.num_processes} processes cannot share "
                "evenly; make it a multiple"
            )
        if settings.optimizer is Optimizer.MUON and self._accelerator.distributed_type is DistributedType.FSDP:
            raise ConfigError(
                "muon needs whole matrices, and FSDP gives each process a part; set loop.optimizer to adamw"
            )
        self._checkpoints = Checkpoints(run, settings, identity)
        self._module = learner.module
        self._optimizers: list[Any] = []  # accelerate's wrappers
        self._signal = 0

    def train(self, progress: Callable[[int, int, float], None] | None) -> Trained:
        """Do the steps that are left; see :func:`joyai_ros.training.loop.train`."""
        plain = self._learner.module
        self._module, *self._optimizers = self._accelerator.prepare(
            plain, *optimizers_of(self._learner, self._settings)
        )
        self._learner.module = self._module
        try:
            # What somebody else draws goes on as if this run had not been.
            with torch.random.fork_rng(), self._heeding_signals():
                return self._train(progress)
        finally:
            self._learner.module = plain

    def _train(self, progress: Callable[[int, int, float], None] | None) -> Trained:
        settings, is_main = self._settings, self._accelerator.is_main_process
        optimizers = [wrapped.optimizer for wrapped in self._optimizers]
        done = self._checkpoints.load(self._module, optimizers)
        begun, started, before = done.step, time.monotonic(), done.seconds
        metrics = Metrics(self._run, done.step) if is_main else None
        self._module.train()
        try:
            while done.step < settings.steps:
                loss, figures = self._step(done.step)
                if loss is None:  # somebody wants it to stop: the weights are still those of the last step
                    break
                done.step, done.loss, done.figures = done.step + 1, loss, figures
                for name, value in {"loss": loss, **figures}.items():
                    done.sums[name] = done.sums.get(name, 0.0) + value
                done.counted += 1
                done.seconds = before + time.monotonic() - started
                if done.step % settings.log_every == 0 or done.step == settings.steps:
                    if metrics is not None:
                        metrics.write(done.step, {k: v / done.counted for k, v in done.sums.items()}, done.seconds)
                    done.sums, done.counted = {}, 0
                if progress is not None:
                    progress(done.step, settings.steps, loss)
                if done.step % settings.save_every == 0 and done.step < settings.steps:
                    self._checkpoints.save(self._module, optimizers, done, is_main)
            if done.step > begun:
                self._checkpoints.save(self._module, optimizers, done, is_main)
        finally:
            if metrics is not None:
                metrics.close()
        if done.step < settings.steps:
            raise StoppedError(
                f"stopped after step {done.step} of {settings.steps}; what was done is in {self._run}, the same command goes on"
            )
        return Trained(self._run, done.step, float(done.loss or 0.0), done.figures, done.seconds, begun)

    def _step(self, step: int) -> tuple[float | None, dict[str, float]]:
        """Do one step of the optimiser and return loss and figures; None where the run is to stop instead."""
        processes, mine = self._accelerator.num_processes, self._accelerator.process_index
        parts = range(mine, self._settings.accumulation, processes)
        totals: dict[str, float] = {}
        for part in parts:
            if self._stops():
                self._forget()
                return None, {}
            generator = _seed(self._settings.seed, step, part)
            batch = self._learner.batch(step, part)
            waits = nullcontext() if part == parts[-1] else self._accelerator.no_sync(self._module)
            with waits:
                with self._autocast():
                    loss, figures = self._learner.loss(batch, generator)
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise self._diverged(step, f"the loss is {value} ({_listed(figures)})")
                self._accelerator.backward(loss / len(parts))
            for name, figure in {"loss": value, **figures}.items():
                totals[name] = totals.get(name, 0.0) + figure / len(parts)
        totals["gradient"] = self._update(step)
        totals = self._shared(totals)
        return totals.pop("loss"), {"rate": self._settings.rate(step), **totals}

    def _update(self, step: int) -> float:
        """Let the optimiser go one step and return the norm of the gradient as it was."""
        for group in (group for each in self._optimizers for group in each.param_groups):
            group["lr"] = self._settings.rate(step) * group["scale"]
        longest = self._settings.clip or math.inf
        norm = float(self._accelerator.clip_grad_norm_(self._module.parameters(), longest) or 0.0)
        if not math.isfinite(norm):
            raise self._diverged(step, f"the gradient's norm is {norm}")
        for optimizer in self._optimizers:
            optimizer.step()
        self._forget()
        return norm

    def _forget(self) -> None:
        """Clear the gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad()

    def _shared(self, totals: dict[str, float]) -> dict[str, float]:
        """Return the mean over the processes."""
        if self._accelerator.num_processes == 1:
            return totals
        values = torch.tensor(list(totals.values()), device=self._accelerator.device)
        mean = self._accelerator.reduce(values, "mean")
        return dict(zip(totals, mean.tolist(), strict=True))

    def _autocast(self) -> torch.autocast:
        kind = self._accelerator.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self._settings.precision is Precision.BF16)

    def _diverged(self, step: int, what: str) -> DivergedError:
        return DivergedError(
            f"at step {step + 1} {what}; the last checkpoint in {self._run} stands: lower the learning rate, warm up for "
            "longer, or clip gradients"
        )

    def _stops(self) -> bool:
        """Return whether any process was told to stop; all processes ask at the same places."""
        if self._accelerator.num_processes == 1:
            return bool(self._signal)
        told = torch.tensor(float(self._signal > 0), device=self._accelerator.device)
        return bool(self._accelerator.reduce(told, "sum").item())

    @contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM instead of dying of them; the second one interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number


def _seed(seed: int, step: int, part: int) -> torch.Generator:
    """Seed torch's generator, and return another one seeded alike."""
    number = int(np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0] >> 1)
    torch.manual_seed(number)
    return torch.Generator().manual_seed(number)


def _listed(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items()) or "one part"
