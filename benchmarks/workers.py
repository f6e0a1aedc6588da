"""Work over many simulated scenes, spread over processes that use one core each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2
from rich.console import Console
from rich.progress import track

Result = TypeVar("Result")

PROCESSES = 2


def over_seeds(
    work: Callable[[int], Result], seeds: Iterable[int], about: str, processes: int = PROCESSES
) -> list[Result]:
    """Return ``work(seed)`` for each seed, in order, with a progress bar on stderr.

    Args:
        work: a function of a module, so that other processes find it.
        seeds: of ``tabletop-v1``.
        about: what the bar says.
        processes: how many; 1 works in this process.
    """
    wanted = list(seeds)
    console = Console(stderr=True)
    if processes == 1:
        one_core()
        return [work(seed) for seed in track(wanted, about, console=console)]
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker imports NumPy
    context = multiprocessing.get_context("spawn")  # OpenGL does not survive a fork
    with ProcessPoolExecutor(processes, context, one_core) as pool:
        return list(track(pool.map(work, wanted), about, total=len(wanted), console=console))


def one_core() -> None:
    """Keep OpenCV from using more than one core."""
    cv2.setNumThreads(1)


def seed_range(text: str) -> range:
    """Return the seeds that ``A:B`` names: A to B - 1.

    Raises:
        ValueError: the text is not of that form, or names nothing.
    """
    first, _, end = text.partition(":")
    seeds = range(int(first), int(end))
    if not seeds or seeds.start < 0:
        raise ValueError(f"{text} names no seeds; give A:B with 0 <= A < B")
    return seeds
