"""What is kept of each object between frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.geometry.arrays import Mat4, Points, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.fuse_sigma import FusedSigma
from joyai_ros.scene.fuse_views import KeyViews
from joyai_ros.scene.lift import Lifted
from joyai_ros.scene.patch import Patch
from joyai_ros.scene.types import SceneObject


@dataclass(frozen=True)
class Place:
    """Where and when the camera is: (4, 4) poses, and a stamp in nanoseconds."""

    stamp: int
    world_from_camera: Mat4
    camera_from_world: Mat4


@dataclass(frozen=True)
class Now(Place):
    """One frame in the world.

    Attributes:
        frame: its geometry.
        posed: the pose is this frame's own, so places can be compared.
        fuse: its measurements may be fused: it is posed, new, and up is known.
    """

    frame: FrameGeometry
    posed: bool
    fuse: bool


@dataclass(frozen=True)
class Measured:
    """One object as one frame shows it.

    Attributes:
        object: measured from this frame alone, in the optical frame; its id is the detection's.
        patch: its pixels.
        extent: how it was measured.
    """

    object: SceneObject
    patch: Patch
    extent: Lifted


@dataclass(frozen=True)
class Sight:
    """A measured object brought into the world frame.

    Attributes:
        measured: as the frame shows it.
        box: its box in the world.
        points, rays: (N, 3) samples of its surface in the world, and unit directions from the camera to them.
        color: (3,) luma and chroma (ITU-R BT.601, 0 to 255) of its mean colour.
    """

    measured: Measured
    box: OrientedBox
    points: Points
    rays: Points
    color: Vec3


@dataclass(eq=False)
class Track:
    """One object through time. Lengths in metres, the world frame; stamps in nanoseconds.

    Attributes:
        id: published; never changes.
        source_id: the detection's id when it was last seen.
        object: as last measured in a single frame.
        box: the best box so far, in the world.
        size: (3,) of the box when it last lay still.
        color: (3,) luma and chroma (ITU-R BT.601, 0 to 255) of its mean colour.
        first, last: stamps of the first and the latest measurement.
        labels: summed detection scores of each label.
        views: what is fused.
        shape: how the fused box was found; empty before there is one.
        sigma: of the fused box; None before there is one.
        fits: how often the fused box was fitted.
        fused: observations fused into the box.
        measured: how often it was measured.
        moved: seen to have moved since it was first measured.
        stale: frames since a new key view awaits its fit; 0 where none does.
        off: consecutive measurements that did not fit the history.
        denied: consecutive frames that saw its place empty or taken by another object.
        missed: consecutive frames in which it was not measured.
        whole, broken: frames that by themselves showed it in one piece, and in several.
        united: it took in another track that filled the same place, so it is one object however frames cut it.
        alone, shared: frames that by themselves showed it apart from other objects, and joined with one.
    """

    id: str
    source_id: str
    object: SceneObject
    box: OrientedBox
    size: Vec3
    color: Vec3
    first: int
    last: int
    labels: dict[str, float] = field(default_factory=dict)
    views: KeyViews = field(default_factory=KeyViews)
    shape: str = ""
    sigma: FusedSigma | None = None
    fits: int = 0
    fused: int = 0
    measured: int = 0
    moved: bool = False
    stale: int = 0
    off: int = 0
    denied: int = 0
    missed: int = 0
    whole: int = 1
    broken: int = 0
    united: bool = False
    alone: int = 1
    shared: int = 0

    @property
    def label(self) -> str:
        """The label with the highest summed score; empty where it has none."""
        return max(self.labels, key=lambda name: self.labels[name]) if self.labels else ""

    def restart(self) -> None:
        """Forget what was fused: it is no longer where it was, or never was what it seemed."""
        self.views = KeyViews()
        self.shape, self.sigma = "", None
        self.fits = self.fused = self.stale = self.off = 0
