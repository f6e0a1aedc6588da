"""Pictures of how right scenes are: calibration and box overlap as plots, and frames with true and measured boxes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from scipy.special import erf

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.training.evaluation.scene_scores import LEAST_VISIBLE, SETTINGS, SceneScore, look, matches
from joyai_ros.training.evaluation.scene_summary import Summary, share_within

TRUE, MEASURED = (60, 230, 90), (255, 70, 60)  # RGB
FRAMES, COLUMNS = 12, 4
_TILE = (480, 360)  # pixels of one frame in a sheet
_MARGIN = 40  # pixels round the objects
_EDGES = [(a, b) for a, b in itertools.combinations(range(8), 2) if (a ^ b) in (1, 2, 4)]
_NEAR = 0.05  # metres; a box that reaches nearer than this is not drawn


def draw(folder: Path, scores: Mapping[str, Sequence[SceneScore]], found: Mapping[str, Summary]) -> None:
    """Write all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _plots(found).savefig(folder / "plots.png", dpi=110)
    rank = {item.seed: _mean_iou(item) for item in scores["true"]}
    worst = sorted(rank, key=lambda seed: (rank[seed], seed))[:FRAMES]
    random = np.random.default_rng(0).permutation(sorted(rank))[:FRAMES]
    for name, seeds in (("worst", worst), ("random", [int(seed) for seed in random])):
        for boxes in ("true", "none"):
            tiles = [frame_picture(seed, boxes) for seed in track(seeds, name, console=Console(stderr=True))]
            picture = cv2.cvtColor(sheet(tiles), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / f"{name}_{boxes}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _mean_iou(item: SceneScore) -> float:
    return float(np.mean([o.iou for o in item.objects])) if item.objects else 1.0


def frame_picture(seed: int, boxes: str) -> ColorImage:
    """Return the objects of one frame as (H, W, 3) uint8 RGB: true boxes in green, those measured in one setting in red.

    Objects that the camera sees to less than 30% are left out, as they are in the scores.
    """
    seen = look(seed)
    observation = seen.observations[boxes]
    scene = SceneEngine().process(observation)
    known = {view.id for view in seen.truth.views}
    real = matches(seen.truth, scene) if boxes == "none" else {o.id: o.id for o in scene.objects if o.id in known}
    picture = observation.color.copy()
    visible = {view.id for view in seen.truth.views if view.visible_fraction >= LEAST_VISIBLE}
    for name in visible:
        draw_box(picture, seen.truth.view(name).camera_box, observation.camera, TRUE)
    for item in scene.objects:
        if real.get(item.id) in visible:
            draw_box(picture, item.obb, observation.camera, MEASURED)
    picture = _cut_out(picture, [view.box for view in seen.truth.views if view.box is not None])
    text = f"seed {seed}, {SETTINGS[boxes]}: {len(visible & set(real.values()))} of {len(visible)} found"
    cv2.rectangle(picture, (0, 0), (_TILE[0], 17), (0, 0, 0), -1)
    cv2.putText(picture, text, (6, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def _cut_out(picture: ColorImage, boxes: Sequence[Box2D]) -> ColorImage:
    """Return the part of a picture round some boxes, with a margin, in the size of a tile."""
    height, width = picture.shape[:2]
    bounds = np.array([*boxes] or [(0, 0, width, height)])
    low, high = bounds[:, :2].min(axis=0) - _MARGIN, bounds[:, 2:].max(axis=0) + _MARGIN
    scale = min(1.0, max((high - low) / (width, height)))
    size = np.array([width, height]) * scale
    left, top = np.clip((low + high - size) / 2, 0, (width, height) - size).astype(int)
    part = picture[top : top + int(size[1]), left : left + int(size[0])]
    return cv2.resize(part, _TILE, interpolation=cv2.INTER_AREA if scale > 0.75 else cv2.INTER_LINEAR)


def draw_box(picture: ColorImage, box: OrientedBox, camera: Camera, color: tuple[int, int, int]) -> None:
    """Draw the edges of a 3D box in place."""
    corners = box.corners()
    if (corners[:, 2] < _NEAR).any():
        return
    pixels = np.clip(camera.project(corners), -1e4, 1e4)
    for a, b in _EDGES:
        ends = [(round(float(u) * 16), round(float(v) * 16)) for u, v in pixels[[a, b]]]
        cv2.line(picture, ends[0], ends[1], color, 1, cv2.LINE_AA, 4)


def sheet(tiles: Sequence[ColorImage], columns: int = COLUMNS) -> ColorImage:
    """Return pictures of one size side by side in rows."""
    whole = [*tiles, *[np.zeros_like(tiles[0])] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(whole[k : k + columns]) for k in range(0, len(whole), columns)])


def _plots(found: Mapping[str, Summary]) -> Figure:
    figure = Figure(figsize=(19, 6.2), layout="constrained")  # without pyplot no screen is asked for
    axes = figure.subplots(1, 3)
    _reliability(axes[0], found)
    _overlap(axes[1], found)
    _predicates(axes[2], found)
    return figure


def _reliability(axis: Axes, found: Mapping[str, Summary]) -> None:
    """Draw how many errors are within k sigmas against how many should be."""
    sigmas = np.linspace(0.05, 3.0, 60)
    ideal = erf(sigmas / np.sqrt(2.0))
    axis.plot([0, 1], [0, 1], color="0.6", lw=1)
    for name, ratios in found["true"].ratios.items():
        axis.plot(ideal, [share_within(ratios, k) for k in sigmas], lw=0.8, label=f"{name} (true boxes)")
    for (boxes, summary), style in zip(found.items(), ("-", "--", ":"), strict=True):
        pooled = np.concatenate(list(summary.ratios.values()))
        axis.plot(
            ideal, [share_within(pooled, k) for k in sigmas], "k", ls=style, lw=2, label=f"all, {SETTINGS[boxes]}"
        )
    axis.axvline(float(erf(1 / np.sqrt(2.0))), color="0.6", lw=1, ls=":")
    axis.set(title="Errors within k sigmas", xlabel="share expected of normal errors", ylabel="share found")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.legend(fontsize=8, loc="lower right")


def _overlap(axis: Axes, found: Mapping[str, Summary]) -> None:
    """Draw the distribution of box overlaps for each kind of object."""
    kinds = sorted({item.kind for summary in found.values() for item in summary.objects})
    for offset, (boxes, summary) in enumerate(found.items()):
        groups = summary.iou_by(lambda item: item.kind)
        drawn = axis.boxplot(
            [groups[kind] for kind in kinds],
            positions=np.arange(len(kinds)) + 0.27 * (offset - 1),
            widths=0.22,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "k"},
        )
        for patch in drawn["boxes"]:
            patch.set_facecolor(f"C{offset}")
        axis.plot([], [], "s", color=f"C{offset}", label=f"{SETTINGS[boxes]}: median {summary.iou:.2f}")
    axis.set_xticks(range(len(kinds)), kinds, rotation=45, ha="right")
    axis.set(title="3D box IoU (0 where missing)", ylim=(0, 1))
    axis.legend(fontsize=8, loc="lower right")


def _predicates(axis: Axes, found: Mapping[str, Summary]) -> None:
    """Draw precision and recall for each predicate."""
    names = sorted(set().union(*(summary.by_predicate for summary in found.values())))
    rows = np.arange(len(names))
    for offset, (boxes, summary) in enumerate(found.items()):
        tallies = [summary.by_predicate.get(name) for name in names]
        place = rows + 0.2 * (offset - 1)
        axis.plot(
            [t.precision if t else np.nan for t in tallies], place, "o", color=f"C{offset}", label=SETTINGS[boxes]
        )
        axis.plot([t.recall if t else np.nan for t in tallies], place, "|", color=f"C{offset}", ms=9, mew=2)
    axis.set_yticks(rows, names)
    axis.invert_yaxis()
    axis.grid(axis="x", color="0.9")
    axis.set(title="Relations: precision (dot) and recall (bar)", xlim=(0, 1.02))
    axis.legend(fontsize=8, loc="lower left")
