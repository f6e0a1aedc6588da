"""The reports of ``joyai-ros eval``: figures beside chance, and pictures of what went wrong and of what was drawn at random."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from joyai_ros.cli.eval_options import known
from joyai_ros.cli.folder import replaced_folder
from joyai_ros.cli.page import Bar, bars, document, figure, picture, table
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.drawing import draw_scene
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.training.data.sample import shown_image
from joyai_ros.training.data.store import Store
from joyai_ros.training.evaluation.journal import Journal
from joyai_ros.training.evaluation.questions import Posed, QuestionSet
from joyai_ros.training.evaluation.scene_scores import SceneScore, look
from joyai_ros.training.evaluation.scoring import Outcome

_MARKER = "report.html"
_WORST, _RANDOM = 12, 12
_WIDE = 480  # pixels of a picture of a question
_NARROW, _HEAD = 192, 26  # pixels of a view, and of its name above it
_NOTE = (
    "Blue bars: the score, with its 95% interval. Red marks: the best blind guess. "
    "Failures count as wrong; what each figure means stands in docs/evaluation.md."
)


def write_mllm_report(
    folder: Path, said: dict[str, Any], questions: QuestionSet, outcomes: Sequence[Outcome], seed: int
) -> None:
    """Write the report of questions.

    Raises:
        InputError: something else stands at ``folder``.
        OutputError: it cannot be written.
    """
    pairs = list(zip(questions.questions, outcomes, strict=True))
    wrong = sorted((pair for pair in pairs if pair[1].score < 1.0), key=lambda pair: _doubt(pair[1]))
    worst = _over_tasks(wrong)[:_WORST]
    chosen = np.random.default_rng([seed, 46]).permutation(len(pairs))[:_RANDOM]
    everything = said["overall"]
    sure = known(everything["calibration_error"])
    title = f"Questions answered by {said['answered_by']}"
    body = f"""<h1>{html.escape(title)}</h1>
<p>{everything["n"]} questions about {said["scenes"]} scenes (seed {said["seed"]}, data {said["data_hash"][:12]}).
Mean of tasks {everything["accuracy"]:.3f}, beyond chance {known(everything["chance_adjusted"])}; calibration error
{sure or "unknown"} of {everything["confidences"]} confidences.</p>
{_chart(said["tasks"])}
{_mllm_table(said["tasks"])}
{_imagined(said)}
<h2>Wrong, the surest first</h2><div class="cards">{"".join(_card(questions.store, *pair) for pair in worst)}</div>
<h2>Drawn at random</h2>
<div class="cards">{"".join(_card(questions.store, *pairs[int(index)]) for index in chosen)}</div>
{_failures(said["failed"])}"""
    _write(folder, title, body)


def write_view_report(folder: Path, said: dict[str, Any], views: Sequence[dict[str, Any]], journal: Journal) -> None:
    """Write the report of views; the journal has their pictures.

    Raises:
        InputError, OutputError: as :func:`write_mllm_report`.
    """
    ways = list(said["tasks"])
    main = ways[-1]
    worst = sorted(views, key=lambda view: (-view["ways"][main]["yaw_error"], view["ways"][main]["psnr"]))[
        : _WORST // 2
    ]
    drawn = np.random.default_rng([said["seed"], 46]).permutation(len(views))[: _RANDOM // 2]
    title = f"Views drawn by {said['drawn_by']}"
    body = f"""<h1>{html.escape(title)}</h1>
<p>{len(views)} views of {said["scenes"]} scenes (seed {said["seed"]}), yaw within 45 and pitch within 20 degrees. Bars: share
of the views whose best-matching true render is within 10 degrees of the asked yaw.</p>
{_chart(said["tasks"])}
{_view_table(said["tasks"])}
<h2>By asked yaw, degrees</h2>
{_by_yaw(said["tasks"])}
<h2>Worst of {html.escape(main)}</h2>
{"".join(_strip(view, main, journal) for view in worst)}
<h2>Drawn at random</h2>{"".join(_strip(views[int(index)], main, journal) for index in drawn)}"""
    _write(folder, title, body)


def write_scene_report(folder: Path, said: dict[str, Any], scores: Sequence[SceneScore]) -> None:
    """Write the report of scenes; ``scores`` are those with the true boxes.

    Raises:
        InputError, OutputError: as :func:`write_mllm_report`.
    """
    worst = sorted(scores, key=lambda score: -score.outright.total())[: _WORST // 3]
    drawn = np.random.default_rng([said["seed"], 46]).permutation(len(scores))[: _RANDOM // 3]
    rows = [
        (name, figures["metric"], f"{figures['accuracy']:.4f}", known(figures["chance"]), known(figures.get("recall")))
        for name, figures in said["tasks"].items()
    ]
    body = f"""<h1>The scene engine</h1>
<p>First frames of {said["scenes"]} scenes (seed {said["seed"]}), with true, jittered and no 2D boxes.</p>
{_chart(said["tasks"])}
{table(("task", "measured as", "score", "chance", "recall"), rows)}
<h2>Most wrong</h2>{"".join(_frame(score) for score in worst)}
<h2>Drawn at random</h2>{"".join(_frame(scores[int(index)]) for index in drawn)}"""
    _write(folder, "The scene engine", body)


def _write(folder: Path, title: str, body: str) -> None:
    with replaced_folder(folder, _MARKER) as work:
        (work / _MARKER).write_text(document(title, body), encoding="utf-8")


def _chart(tasks: dict[str, dict[str, Any]]) -> str:
    shown = [
        Bar(name, item["accuracy"], (item["interval"][0], item["interval"][1]), item["chance"])
        for name, item in tasks.items()
    ]
    return f'{bars(shown)}<p class="note">{_NOTE}</p>'


def _mllm_table(tasks: dict[str, dict[str, Any]]) -> str:
    columns = ("task", "measured as", "score", "95%", "chance", "beyond chance", "calibration error", "n", "failed")
    rows = []
    for name, item in tasks.items():
        low, high = item["interval"]
        figures = [known(item[key]) for key in ("chance", "chance_adjusted", "calibration_error")]
        shown = (f"{item['accuracy']:.3f}", f"{low:.2f} to {high:.2f}", *figures, str(item["n"]), str(item["failures"]))
        rows.append((name, item["metric"], *shown))
    return table(columns, rows)


def _imagined(said: dict[str, Any]) -> str:
    if "imagined" not in said:
        return ""
    rows = []
    for name, item in {**said["imagined"]["tasks"], "all": said["imagined"]["all"]}.items():
        low, high = item["interval"]
        scores = (f"{item[key]:.3f}" for key in ("without", "with"))
        gain = f"{item['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append((name, *scores, gain, f"{item['p']:.2g}", str(item["n"])))
    columns = ("task", "without", "with", "difference, 95%", "McNemar's p", "n")
    return f"<h2>With {said['views']} imagined views</h2>{table(columns, rows, 1)}"


def _doubt(outcome: Outcome) -> float:
    return math.inf if outcome.log_p is None else -outcome.log_p


def _over_tasks(pairs: list[tuple[Posed, Outcome]]) -> list[tuple[Posed, Outcome]]:
    """Return pairs so that one of each task comes before the second of any."""
    turns: dict[str, int] = {}
    ranked = []
    for pair in pairs:
        turn = turns.get(pair[1].task, 0)
        turns[pair[1].task] = turn + 1
        ranked.append((turn, pair))
    return [pair for _, pair in sorted(ranked, key=lambda item: item[0])]


def _card(store: Store, posed: Posed, outcome: Outcome) -> str:
    shown = [shown_image(store.color(posed.entry, frame), frame, posed.item) for frame in posed.frames]
    pictures = "".join(picture(_smaller(image), posed.item.task) for image in shown)
    verdict = "true" if outcome.score == 1.0 else "false"
    answer, truth = html.escape(outcome.answer or "no answer"), html.escape(outcome.truth)
    why = f'<p class="note">{html.escape(outcome.failure)}</p>' if outcome.failure else ""
    return f"""<div class="card">{pictures}<p><b>{html.escape(outcome.task)}</b>: {html.escape(posed.item.prompt)}</p>
<p>answer: <span class="{verdict}">{answer}</span> (score {outcome.score:.2f})</p><p>truth: {truth}</p>{why}</div>"""


def _smaller(image: ColorImage) -> ColorImage:
    if image.shape[1] <= _WIDE:
        return image
    size = _WIDE, round(_WIDE * image.shape[0] / image.shape[1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _failures(failed: Sequence[dict[str, str]]) -> str:
    if not failed:
        return ""
    rows = [(item["id"], item["task"], item["why"]) for item in failed]
    return f"<details><summary>{len(rows)} failures</summary>{table(('question', 'task', 'why'), rows, 9)}</details>"


def _view_table(tasks: dict[str, dict[str, Any]]) -> str:
    columns = ("way", "PSNR", "SSIM", "PSNR, unseen", "over input", "over homography", "over warp, unseen", "yaw found")
    rows = []
    for way, item in tasks.items():
        gains = [item.get(f"over_{name}") for name in ("input", "homography", "warp_unseen")]
        cells = ["" if gain is None else f"{gain['mean']:+.2f} dB" for gain in gains]
        figures = (known(item["psnr"], ".2f"), known(item["ssim"]), known(item["psnr_unseen"], ".2f"))
        rows.append((way, *figures, *cells, f"{item['accuracy']:.3f}"))
    return table(columns, rows, 1)


def _by_yaw(tasks: dict[str, dict[str, Any]]) -> str:
    yaws = list(next(iter(tasks.values()))["by_yaw"])
    rows = [(way, *(f"{item['by_yaw'][yaw]:.2f}" for yaw in yaws)) for way, item in tasks.items()]
    return table(("way", *yaws), rows, 1)


def _strip(view: dict[str, Any], way: str, journal: Journal) -> str:
    shown = journal.picture(view["id"])
    scores = view["ways"][way]
    words = f"scene {view['scene']}, yaw {view['yaw']:g}, pitch {view['pitch']:g}; {way}: {scores['psnr']:.1f} dB, "
    words += f"yaw off by {scores['yaw_error']:g} degrees"
    if shown is None:
        return f"<p>{html.escape(words)}: no picture</p>"
    return figure(_named([*view["ways"], "truth"], shown), words)


def _named(names: Sequence[str], strip: ColorImage) -> ColorImage:
    """Return pictures of one width side by side, large enough to look at, under their names."""
    times = max(round(_NARROW * len(names) / strip.shape[1]), 1)
    large = cv2.resize(strip, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
    head = np.full((_HEAD, large.shape[1], 3), 255, np.uint8)
    for number, name in enumerate(names):
        place = (number * large.shape[1] // len(names) + 6, _HEAD - 8)
        cv2.putText(head, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return np.vstack([head, large])


def _frame(score: SceneScore) -> str:
    observation = look(score.seed).observations["true"]
    measured = SceneEngine(SceneConfig()).process(observation)
    right, wrong, missed = (count.total() for count in (score.right, score.wrong, score.missed))
    words = f"scene {score.seed}: {right} relations true, {wrong} not, {missed} missed"
    return figure(draw_scene(observation.color, measured, observation.camera), words)
