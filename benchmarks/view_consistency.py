"""Whether the check of generated views tells a right pose from a wrong one: simulator pairs of ``tabletop-v1``.

python -m benchmarks.view_consistency [--seeds 21000:21060] [--size 256]

From the first frame of each seed a motion of 10 to 30 degrees of yaw is commanded; the simulator draws the view from
there, and from 5 and 10 degrees farther round the same pivot. Each picture is degraded: halved and enlarged again and
compressed (which stands in for the round trip through a VAE, whose weights are not here), blurred with a sigma of 0.5
to 2 pixels, and its channels scaled by 0.7 to 1.3 and shifted by up to 25 levels. With --size it is fitted into a
model's bucket of that size before. The check knows the frame and the command alone. A picture scores the confidence
that its pose is within the limits, and what cannot be aligned 0; the figure is the area under the ROC curve of right
ones against wrong ones.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from scipy.stats import rankdata

from benchmarks.workers import over_seeds, seed_range
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import Consistency
from joyai_ros.imagination.buckets import buckets, fit
from joyai_ros.imagination.consistency import check_view
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.sim.frames import simulate
from joyai_ros.sim.tabletop import TabletopSim

SEEDS = range(21000, 21060)
EXTRA = (0.0, 5.0, 10.0)  # degrees of yaw beyond the commanded ones
TARGETS = {5.0: 0.85, 10.0: 0.95}
_SHAPES = ((896, 1152),)  # the model's bucket at 1024, (height, width), that a picture of 640x480 is fitted into


@dataclass(frozen=True)
class Checked:
    """One picture: how far its yaw is off, its score, the verdict, and the error of its estimated pose.

    Attributes:
        extra: degrees.
        score: 0 to 1.
        consistent: the verdict.
        turned, moved: degrees and metres between the estimated and the true pose; NaN where nothing was estimated.
    """

    extra: float
    score: float
    consistent: bool
    turned: float
    moved: float


def check_seed(seed: int, size: int = 0) -> list[Checked]:
    """Return what the check says of one seed's pictures, at their own size or in a bucket of a size."""
    observation = next(simulate(seed)).observation
    random = np.random.default_rng([seed, 11])
    yaw = float(random.uniform(10, 30) * random.choice([-1, 1]))
    pitch = float(random.uniform(-5, 10))
    assert observation.depth is not None and observation.world_from_camera is not None
    up = observation.world_from_camera[2, :3]
    pivot = default_pivot(observation.camera, observation.depth)
    shapes = buckets(size, _SHAPES) if size else [observation.camera.shape]
    fitting = fit(observation.camera.size, shapes)
    expected = DepthImaginer().imagine_pose(
        observation, orbit(CameraMotion(yaw, pitch), pivot, up), fitting.camera(observation.camera), is_exact=True
    )
    found = []
    with TabletopSim(seed) as simulator:
        for extra in EXTRA:
            pose = orbit(CameraMotion(yaw + float(np.copysign(extra, yaw)), pitch), pivot, up)
            picture = simulator.render(observation.world_from_camera @ pose, observation.camera)
            verdict = check_view(degraded(fitting.image(picture), random), expected, observation)
            turned = moved = float("nan")
            if verdict.commanded_from_view is not None:
                error = rigid.inverse(expected.source_from_view @ verdict.commanded_from_view) @ pose
                turned = float(np.degrees(rigid.rotation_angle(error[:3, :3])))
                moved = float(np.linalg.norm(error[:3, 3]))
            score = 0.0 if np.isnan(verdict.confidence) else verdict.confidence
            found.append(Checked(extra, score, verdict.consistency is Consistency.CONSISTENT, turned, moved))
    return found


def degraded(image: ColorImage, random: np.random.Generator) -> ColorImage:
    """Return a picture as a generator might give it back: less detail, blurred, other colours."""
    size = image.shape[1], image.shape[0]
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), [cv2.IMWRITE_JPEG_QUALITY, 30])
    blurred = cv2.GaussianBlur(cv2.imdecode(coded[1], cv2.IMREAD_COLOR), (0, 0), float(random.uniform(0.5, 2.0)))
    colors = blurred * random.uniform(0.7, 1.3, 3) + random.uniform(-25, 25, 3)
    return np.asarray(np.clip(colors, 0, 255), dtype=np.uint8)


def auc(right: list[float], wrong: list[float]) -> float:
    """Return the area under the ROC curve: how often a right one scores higher, ties counting half."""
    ranks = rankdata([*right, *wrong])
    return float((ranks[: len(right)].sum() - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong)))


def evidence() -> list[dict[str, Any]]:
    """Return what is claimed of the check of generated views."""
    return lines([item for items in over_seeds(check_seed, SEEDS, "views") for item in items])


def lines(found: list[Checked]) -> list[dict[str, Any]]:
    """Return the lines of evidence."""
    command = "python -m benchmarks.view_consistency"
    right = [item.score for item in found if item.extra == 0]
    result: list[dict[str, Any]] = []
    for extra, target in TARGETS.items():
        wrong = [item for item in found if item.extra == extra]
        area = auc(right, [item.score for item in wrong])
        passed = sum(item.consistent for item in wrong)
        result.append(
            {
                "line": f"degraded views, right pose against {extra:g} degrees of extra yaw: ROC AUC",
                "figure": f"{area:.3f} ({passed} of {len(wrong)} wrong ones called consistent)",
                "target": f"at least {target}",
                "ok": area >= target,
                "command": command,
            }
        )
    good = [item for item in found if item.extra == 0]
    turned, moved = (float(np.nanmedian([getattr(item, name) for item in good])) for name in ("turned", "moved"))
    result.append(
        {
            "line": "degraded views at the right pose: called consistent; median error of the estimated pose",
            "figure": f"{sum(i.consistent for i in good)} of {len(good)}; {turned:.2f} degrees, {1000 * moved:.1f} mm",
            "target": "",
            "ok": None,
            "command": command,
        }
    )
    return result


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.view_consistency", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seeds", type=seed_range, default=SEEDS, metavar="A:B", help="seeds of tabletop-v1")
    parser.add_argument("--size", type=int, default=0, help="of a model's bucket; 0: pictures as the camera has them")
    given, console = parser.parse_args(), Console()
    check = functools.partial(check_seed, size=given.size)
    for item in lines([item for items in over_seeds(check, given.seeds, "views") for item in items]):
        console.print(f"{item['line']}: {item['figure']}")


if __name__ == "__main__":
    main()
