"""What an object showed from different sides: a few key views of it, kept in the world frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mat3, Mat4, Points, Vec3
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.occlusion import Occlusion

MAX_VIEWS = 8
_SAME_COSINE = math.cos(math.radians(3.0))  # views from directions closer than that show the same
_PER_SIDE = 2  # of which so many are kept, to average their noise
_BETTER = 1.2  # times as many points: a view that replaces one from the same side
_LASTING = 12  # views offered later, after which any other from that side replaces it: a bad one must not stay

Array = NDArray[np.float64]


@dataclass
class KeyView:
    """One observation of an object.

    Attributes:
        points: (N, 3) metres in the world, samples of its measured surface.
        rays: (N, 3) unit, from the camera to each point.
        noise: metres along the rays, one standard deviation.
        pitch: metres between neighbouring depth pixels on the object.
        low, high: metres along up in the world, of its bottom and top.
        low_sigma, high_sigma: metres, one standard deviation.
        spread: (3, 3) covariance in the world of its own box's centre, square metres.
        size_sigma: (3,) metres, one standard deviation of its own box's length, width and height.
        seen: (x0, y0, x1, y1) pixels around what it measured.
        cut: how much of its outline something else cuts.
        camera, camera_from_world: it looked through, (4, 4).
        toward: (3,) unit, from the object to the camera.
        pixels: how many pixels it had.
        whole: it was neither cut by the image border nor much hidden.
        completed: its own box in the world, where that holds more than was seen (a circle, a stick); else None.
        votes: (N,) for each point: views that saw this object there, less those that saw through it or saw another.
        taken: how many views of the object had been offered before it.
    """

    points: Points
    rays: Points
    noise: float
    pitch: float
    low: float
    high: float
    low_sigma: float
    high_sigma: float
    spread: Mat3
    size_sigma: Vec3
    seen: Box2D
    cut: Occlusion
    camera: Camera
    camera_from_world: Mat4
    toward: Vec3
    pixels: int
    whole: bool
    completed: OrientedBox | None = None
    votes: NDArray[np.int32] = field(init=False)
    taken: int = 0

    def __post_init__(self) -> None:
        self.votes = np.ones(len(self.points), dtype=np.int32)

    @property
    def solid(self) -> NDArray[np.bool_]:
        """(N,) bool: points that other views did not vote down."""
        return self.votes >= 0


@dataclass(frozen=True)
class Cloud:
    """Points of several views: (N, 3) points and rays, (N,) noise, and the median pitch, as in :class:`KeyView`."""

    points: Array
    rays: Array
    noise: Array
    pitch: float


class KeyViews:
    """The key views of one object: at most :data:`MAX_VIEWS`, from sides as different as were seen."""

    def __init__(self) -> None:
        self.views: list[KeyView] = []
        self._offered = 0

    def __len__(self) -> int:
        return len(self.views)

    def add(self, view: KeyView) -> bool:
        """Take a view in where it shows something new or better, or another has been there for long; return whether it was."""
        self._offered += 1
        view.taken = self._offered
        if not self.views:
            self.views.append(view)
            return True
        near = [k for k, other in enumerate(self.views) if _same_side(view, other)]
        if len(near) >= _PER_SIDE:
            worst = min(near, key=lambda k: (self.views[k].whole, self.views[k].pixels))
            poorer = self.views[worst]
            better = view.pixels > _BETTER * poorer.pixels if view.whole == poorer.whole else view.whole
            oldest = min(near, key=lambda k: self.views[k].taken)
            if not better and view.whole and self._offered - self.views[oldest].taken >= _LASTING:
                better, worst = True, oldest
            if better:
                self.views[worst] = view
            return better
        self.views.append(view)
        if len(self.views) > MAX_VIEWS:
            del self.views[self._most_crowded()]
        return True

    def _most_crowded(self) -> int:
        """Return which view is closest to another: of that pair the one with fewer pixels."""
        toward = np.stack([v.toward for v in self.views])
        likeness = toward @ toward.T
        np.fill_diagonal(likeness, -2.0)
        first, second = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        return int(min(first, second, key=lambda k: (self.views[k].whole, self.views[k].pixels)))

    def sides(self) -> int:
        """Return how many views are from sides of their own: repeated ones share their systematic errors."""
        apart: list[KeyView] = []
        for view in self.views:
            if not any(_same_side(view, other) for other in apart):
                apart.append(view)
        return len(apart)


def _same_side(first: KeyView, second: KeyView) -> bool:
    return float(first.toward @ second.toward) > _SAME_COSINE


def joined(views: list[KeyView]) -> Cloud:
    """Return the points of some views that other views did not vote down."""
    solid = np.concatenate([v.solid for v in views])
    return Cloud(
        points=np.concatenate([v.points for v in views])[solid],
        rays=np.concatenate([v.rays for v in views])[solid],
        noise=np.repeat([v.noise for v in views], [len(v.points) for v in views])[solid],
        pitch=float(np.median([v.pitch for v in views])),
    )
