"""Depth views of a real kitchen against the plain way, on every pair of frames 20 and 40 frame numbers apart.

Each view looks from the recorded pose of a later (or earlier) frame of the sweep, whose picture is the truth. The plain
way (:mod:`joyai_ros.training.evaluation.plain_view`) is scored in the same run, in three variants:

- ``published``: depth taken as registered, with the intrinsics that the recording publishes (the depth camera's);
- ``color``: depth taken as registered, with the colour camera's own intrinsics;
- ``registered``: depth registered to colour first, as our views have it.

Pixels *both* see: measured by a variant's splat and SEEN in our view. PSNR and SSIM
(:mod:`joyai_ros.training.evaluation.image_scores`) are means over the pairs. Fused views remember the five frames before
the *target* (the pair's own source among them left out): what a robot on its way there has seen. A second reading
remembers the five before the *source*. There the camera is on its way to what no frame has seen: perfect pictures of all
that these frames add would be worth half a dB.

The recorded poses bound it all. Depth images alone, aligned with each other, contradict them by 0.3 degrees over 10 frames
and 0.9 over 40 (2 to 4 pixels), and the camera changes its exposure by a tenth. Hence the softness and the brightness of
a view from a recorded pose (:class:`joyai_ros.imagination.depth_view.ViewConfig`); ``--exact`` shows what the geometry does
without them.

    python -m benchmarks.views_kitchen [--every N] [--backward] [--exact] [--pictures DIR] [--data DIR]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.kitchen_frames import DATA, Kitchen, pose_between
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Mask
from joyai_ros.geometry.view import SEEN, View
from joyai_ros.imagination.depth_view import DepthImaginer, ViewConfig
from joyai_ros.training.evaluation.image_scores import psnr, ssim
from joyai_ros.training.evaluation.plain_view import plain_view

APART = (20, 40)
REMEMBERED = 5
PLAIN = ("published", "color", "registered")


@dataclass(frozen=True)
class PairScore:
    """Scores of one pair.

    Attributes:
        source, target: frame numbers.
        ours, fused, earlier: full-frame (PSNR dB, SSIM, share of pixels seen) of a view from one frame, with the five
            before the target fused, and with the five before the source.
        plain: the same for each variant of the plain way.
        both: (plain, ours) PSNR over the pixels that both see, for each variant.
    """

    source: int
    target: int
    ours: tuple[float, float, float]
    fused: tuple[float, float, float]
    earlier: tuple[float, float, float]
    plain: dict[str, tuple[float, float, float]]
    both: dict[str, tuple[float, float]]


def score_pair(
    kitchen: Kitchen, source: int, target: int, pictures: Path | None = None, is_exact: bool = False
) -> PairScore:
    """Score one pair; with ``pictures`` also draw it side by side."""
    truth = kitchen.frame(target).color
    view = imagined(kitchen, source, target, [], is_exact)
    fused = imagined(kitchen, source, target, kitchen.before(target, REMEMBERED, without=source), is_exact)
    earlier = imagined(kitchen, source, target, kitchen.before(source, REMEMBERED, without=target), is_exact)
    plain = {variant: _plain(kitchen, variant, source, target) for variant in PLAIN}
    seen = view.validity == SEEN
    both = {
        variant: (psnr(picture, truth, mask & seen), psnr(view.image, truth, mask & seen))
        for variant, (picture, mask) in plain.items()
        if (mask & seen).any()
    }
    if pictures is not None:
        _draw(pictures / f"{source:06d}-{target:06d}.png", kitchen.frame(source).color, truth, plain, view, fused)
    return PairScore(
        source,
        target,
        _whole(view.image, truth, seen),
        _whole(fused.image, truth, fused.validity == SEEN),
        _whole(earlier.image, truth, earlier.validity == SEEN),
        {variant: _whole(picture, truth, mask) for variant, (picture, mask) in plain.items()},
        both,
    )


def imagined(kitchen: Kitchen, source: int, target: int, earlier: Iterable[int], is_exact: bool) -> View:
    """Return the view of a target frame's pose from a source frame, with other frames remembered."""
    imaginer = DepthImaginer(ViewConfig(memory=REMEMBERED, memory_step_m=0.0, memory_step_deg=0.0))
    for number in sorted(earlier):
        imaginer.remember(kitchen.frame(number).observation)
    observation, other = kitchen.frame(source).observation, kitchen.frame(target).observation
    if observation.world_from_camera is None or other.world_from_camera is None:
        raise ValueError("every frame of the recording has a pose")
    pose = pose_between(observation.world_from_camera, other.world_from_camera)
    return imaginer.imagine_pose(observation, pose, is_exact=is_exact)


def _plain(kitchen: Kitchen, variant: str, source: int, target: int) -> tuple[ColorImage, Mask]:
    frame, other, rig = kitchen.frame(source), kitchen.frame(target), kitchen.rig
    registered = variant == "registered"
    depth = frame.observation.depth if registered else frame.raw_depth
    camera = rig.depth_camera if variant == "published" else rig.color
    poses = (frame.observation.world_from_camera, other.observation.world_from_camera)
    if not registered:
        poses = (frame.world_from_depth, other.world_from_depth)
    if depth is None or poses[0] is None or poses[1] is None:
        raise ValueError("every frame of the recording has depth and a pose")
    return plain_view(frame.color, depth, camera, rigid.inverse(pose_between(poses[0], poses[1])))


def _whole(picture: ColorImage, truth: ColorImage, seen: Mask) -> tuple[float, float, float]:
    return psnr(picture, truth), ssim(picture, truth), float(seen.mean())


def _draw(
    path: Path,
    source: ColorImage,
    truth: ColorImage,
    plain: dict[str, tuple[ColorImage, Mask]],
    view: View,
    fused: View,
) -> None:
    """Draw source, truth and validity over the plain way, our view and the fused view."""
    path.parent.mkdir(parents=True, exist_ok=True)
    validity = np.repeat(view.validity[..., None], 3, axis=2)
    top = np.hstack([source, truth, validity])
    bottom = np.hstack([plain["color"][0], view.image, fused.image])
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack([top, bottom]), cv2.COLOR_RGB2BGR))


def mean_gain(scores: Sequence[PairScore], variant: str, measure: int) -> float:
    """Return how much better our view is than a plain variant over the full frame, on average."""
    return float(np.mean([score.ours[measure] - score.plain[variant][measure] for score in scores]))


def both_gains(scores: Sequence[PairScore], variant: str) -> list[float]:
    """Return, for each pair, how many dB better our view is over the pixels that both see."""
    return [ours - plain for plain, ours in (score.both[variant] for score in scores if variant in score.both)]


def report(scores: Sequence[PairScore], title: str) -> None:
    """Print the table of one set of pairs, and how the gain is distributed over them."""
    console = Console(width=120, highlight=False)
    table = Table(title=f"{title}: {len(scores)} pairs", title_justify="left")
    for column in ("way", "PSNR", "SSIM", "seen", "both see: plain", "ours", "gain", "better in"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for variant in PLAIN:
        whole = np.mean([score.plain[variant] for score in scores], axis=0)
        both = np.mean([score.both[variant] for score in scores if variant in score.both], axis=0)
        gains = both_gains(scores, variant)
        table.add_row(
            f"plain, {variant}",
            *_cells(whole),
            f"{both[0]:.2f}",
            f"{both[1]:.2f}",
            f"{np.mean(gains):+.2f}",
            f"{np.mean(np.array(gains) > 0):.0%}",
        )
    table.add_row("ours, one frame", *_cells(np.mean([score.ours for score in scores], axis=0)))
    table.add_row("ours, five before the target", *_cells(np.mean([score.fused for score in scores], axis=0)))
    table.add_row("ours, five before the source", *_cells(np.mean([score.earlier for score in scores], axis=0)))
    console.print(table)
    for variant in PLAIN:
        low, middle, high = np.percentile(both_gains(scores, variant), [10, 50, 90])
        console.print(
            f"gain over plain, {variant}: 10th percentile {low:+.2f} dB, median {middle:+.2f}, 90th {high:+.2f}"
        )


def _cells(whole: Any) -> list[str]:
    return [f"{whole[0]:.2f}", f"{whole[1]:.3f}", f"{whole[2]:.1%}"]


def measure(
    kitchen: Kitchen, every: int = 1, backward: bool = False, pictures: Path | None = None, is_exact: bool = False
) -> dict[int, list[PairScore]]:
    """Return the scores of all pairs (or every n-th) for each distance."""
    found: dict[int, list[PairScore]] = {}
    for apart in APART:
        pairs = [(b, a) if backward else (a, b) for a, b in kitchen.pairs(apart)][::every]
        found[apart] = [
            score_pair(kitchen, *pair, pictures, is_exact)
            for pair in track(pairs, f"{apart} frames apart", transient=True)
        ]
    return found


def evidence() -> list[dict[str, Any]]:
    """Return the lines that the recording can answer."""
    if not DATA.is_dir():
        return [_line("Kitchen views", "recording absent", "measured", None)]
    scores = [score for group in measure(Kitchen()).values() for score in group]
    lines = [line for variant in PLAIN for line in _lines_against(scores, variant)]
    full = [score for score in scores if min(score.source, score.target) >= 10 * REMEMBERED]  # five frames before each
    for name, more in (
        ("target", float(np.mean([score.fused[0] - score.ours[0] for score in full]))),
        ("source", float(np.mean([score.earlier[0] - score.ours[0] for score in full]))),
    ):
        figure, ok = f"{more:+.2f} dB PSNR", more >= 1.5
        lines.append(_line(f"Kitchen views, the five frames before the {name} fused", figure, "at least +1.5 dB", ok))
    return lines


def _lines_against(scores: Sequence[PairScore], variant: str) -> list[dict[str, Any]]:
    both_target, full_target, ssim_target = (0.0, 0.0, 0.0) if variant == "registered" else (2.0, 0.4, 0.03)
    both, full, structure = (
        float(np.mean(both_gains(scores, variant))),
        *(mean_gain(scores, variant, m) for m in (0, 1)),
    )
    seen = float(np.mean([s.ours[2] for s in scores]) / np.mean([s.plain[variant][2] for s in scores]))
    name = f"Kitchen views against the plain way ({variant})"
    return [
        _line(f"{name}, both see", f"{both:+.2f} dB PSNR", f"at least {both_target:+.1f} dB", both >= both_target),
        _line(f"{name}, full frame", f"{full:+.2f} dB PSNR", f"at least {full_target:+.1f} dB", full >= full_target),
        _line(
            f"{name}, full frame", f"{structure:+.3f} SSIM", f"at least {ssim_target:+.2f}", structure >= ssim_target
        ),
        _line(f"{name}, pixels seen", f"{seen:.2f} times as many", "at least 0.9", seen >= 0.9),
    ]


def _line(line: str, figure: str, target: str, ok: bool | None) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": "python -m benchmarks.views_kitchen"}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="only every n-th pair")
    parser.add_argument("--backward", action="store_true", help="look back: the target is the earlier frame")
    parser.add_argument(
        "--exact", action="store_true", help="take the poses as exact: views as sharp and bright as frames"
    )
    parser.add_argument("--pictures", type=Path, help="draw each pair into this folder")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recording")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    kitchen = Kitchen(arguments.data)
    options = arguments.every, arguments.backward, arguments.pictures, arguments.exact
    for apart, scores in measure(kitchen, *options).items():
        report(scores, f"{apart} frames apart{', looking back' if arguments.backward else ''}")


if __name__ == "__main__":
    main()
