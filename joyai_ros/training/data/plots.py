"""Statistics as pictures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from joyai_ros.errors import OutputError
from joyai_ros.training.data.statistics import Statistics
from joyai_ros.understanding.tasks import TASKS

_MOST_ANSWERS = 12


def write_plots(statistics: Statistics, folder: Path) -> list[Path]:
    """Write ``tasks.png``, ``answers.png`` and ``geometry.png`` and return their paths.

    Raises:
        OutputError: they cannot be written.
    """
    from matplotlib.figure import Figure  # the figure alone: no window, and no state between calls

    drawn = {
        "tasks": _tasks(Figure, statistics),
        "answers": _answers(Figure, statistics),
        "geometry": _geometry(Figure, statistics),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in drawn.items():
            figure.savefig(folder / f"{name}.png", dpi=110)
    except OSError as error:
        raise OutputError(f"plots cannot be written to {folder} ({error.strerror})") from error
    return [folder / f"{name}.png" for name in drawn]


def _tasks(figure_type: Any, statistics: Statistics) -> Any:
    """Draw how many questions each task has, and the share that a guess gets right."""
    names = sorted(statistics.questions, key=list(TASKS).index, reverse=True)
    totals = [sum(statistics.questions[name].values()) for name in names]
    figure = figure_type(figsize=(9, 0.28 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, totals, color="#3b6ea5")
    for row, (name, total) in enumerate(zip(names, totals, strict=True)):
        guess = statistics.guess(name)
        axes.text(total, row, f" {total}" + ("" if guess is None else f", guess {guess:.0%}"), va="center", fontsize=8)
    axes.set_xlabel("questions")
    axes.set_xlim(0, 1.18 * max(totals, default=1))
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(y=0.01)
    return figure


def _answers(figure_type: Any, statistics: Statistics) -> Any:
    """Draw how often each answer is right, a small plot for each task."""
    names = [name for name in TASKS if name in statistics.questions and set(statistics.questions[name]) != {""}]
    columns = 4
    rows = max(-(-len(names) // columns), 1)
    figure = figure_type(figsize=(3.2 * columns, 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in itertools.zip_longest(grid, names):
        if name is None:
            axes.axis("off")
            continue
        counts = sorted(statistics.questions[name].items(), key=lambda pair: _order(pair[0]))[:_MOST_ANSWERS]
        axes.bar([key.removesuffix(" or more") for key, _ in counts], [n for _, n in counts], color="#3b6ea5")
        axes.set_title(name, fontsize=9)
        axes.tick_params(axis="x", labelsize=6, rotation=45 if len(counts) > 3 else 0)
        axes.tick_params(axis="y", labelsize=6)
    return figure


def _order(key: str) -> tuple[float, str]:
    """Sort keys by the number that they begin with."""
    head = key.split(" ")[0]
    return (float(head), key) if head.replace(".", "", 1).isdigit() else (0.0, key)


def _geometry(figure_type: Any, statistics: Statistics) -> Any:
    """Draw visibility and distance of the objects, and the motions between views."""
    figure = figure_type(figsize=(12, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.hist(statistics.visibility, bins=list(np.linspace(0, 1, 21)), color="#3b6ea5")
    left.set(xlabel="share of an object that is seen", ylabel="objects in frames")
    middle.hist(statistics.distance, bins=20, color="#3b6ea5")
    middle.set(xlabel="distance to the camera, m", ylabel="objects in frames")
    motions = np.array(statistics.motions).reshape(-1, 2)
    right.scatter(motions[:, 0], motions[:, 1], s=6, color="#3b6ea5")
    right.set(xlabel="yaw, deg", ylabel="pitch, deg", title="orbits between views")
    return figure
