"""Settings of the scene engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from joyai_ros.geometry.depth_noise import DepthNoise
from joyai_ros.settings import setting


@dataclass(frozen=True)
class SegmentationConfig:
    """How surfaces and objects are told apart in one depth image. Lengths in metres."""

    plane_tolerance: float = setting(0.004, "least half thickness of a support plane, m", 0.001, 0.05)
    plane_noise_factor: float = setting(2.5, "half thickness of a support plane in depth sigmas", 1.0, 10.0)
    support_min_area: float = setting(0.012, "smallest visible horizontal surface taken as furniture, m^2", 0.005, 10.0)
    edge_step: float = setting(
        0.012, "least depth step between neighbouring pixels that separates surfaces, m", 0.002, 0.2
    )
    edge_noise_factor: float = setting(5.0, "the same in depth sigmas", 1.0, 20.0)
    crease_span: float = setting(
        0.012, "half window over which a surface folds inwards where objects touch, m", 0.002, 0.1
    )
    crease_depth: float = setting(0.005, "least depth of such a fold, m", 0.001, 0.1)
    crease_noise_factor: float = setting(3.0, "the same in depth sigmas", 0.5, 20.0)
    unaided_factor: float = setting(
        0.8, "steps and folds are taken this much finer where nobody points at objects", 0.1, 1.0
    )
    min_pixels: int = setting(150, "smallest cluster that becomes an object, pixels at 640x480", 10, 100000)
    min_extent: float = setting(0.012, "smallest cluster that becomes an object, m", 0.001, 1.0)
    max_extent: float = setting(0.6, "largest cluster that becomes an object, m", 0.05, 20.0)
    max_distance: float = setting(3.0, "clusters further away are not objects, m", 0.2, 50.0)
    max_clusters: int = setting(40, "most clusters published when nobody points at objects", 1, 1000)

    def unaided(self) -> SegmentationConfig:
        """The settings for a frame in which nobody points at objects: edges in depth are all there is to go by."""
        return replace(
            self,
            edge_step=self.edge_step * self.unaided_factor,
            edge_noise_factor=self.edge_noise_factor * self.unaided_factor,
            crease_depth=self.crease_depth * self.unaided_factor,
            crease_noise_factor=self.crease_noise_factor * self.unaided_factor,
        )


@dataclass(frozen=True)
class RelationConfig:
    """Margins: differences below them are not stated. They stand beside the definitions in docs/relations.md."""

    most_objects: int = setting(16, "most objects between which relations are stated", 2, 1000)
    confidence_sigmas: float = setting(1.0, "a value must pass its margin by so many standard deviations", 0.0, 10.0)
    lateral_margin: float = setting(0.015, "left of, right of: between box centres, m", 0.0, 1.0)
    depth_margin: float = setting(0.015, "in front of, behind: between box centres, m", 0.0, 1.0)
    height_margin: float = setting(0.01, "taller, shorter: between heights, m", 0.0, 1.0)
    distance_margin: float = setting(0.02, "closer, farther: between distances to the camera, m", 0.0, 1.0)
    size_ratio: float = setting(1.1, "bigger, smaller: ratio of the boxes' longest sides", 1.0, 100.0)
    contact_margin: float = setting(0.02, "on, above, inside: vertical play, m", 0.001, 0.2)
    above_overlap: float = setting(0.25, "above: share of the smaller footprint in common", 0.01, 1.0)
    near_distance: float = setting(0.30, "near: centres nearer than this, m", 0.0, 10.0)
    far_distance: float = setting(0.60, "far: centres farther than this, m", 0.0, 100.0)
    between_least: float = setting(0.12, "between: least distance of the outer two, m", 0.0, 10.0)
    between_share: float = setting(0.15, "between: distance from the line, share of its length", 0.0, 1.0)
    aligned_angle: float = setting(0.26, "aligned: angle between length axes, rad", 0.0, 1.57)
    elongation: float = setting(1.5, "aligned: least ratio of length to width", 1.0, 100.0)
    facing_angle: float = setting(0.52, "facing: angle between front and direction, rad", 0.0, 3.14)


@dataclass(frozen=True)
class TrackingConfig:
    """How objects are followed through a sequence. The words are defined in docs/sequences.md."""

    enabled: bool = setting(
        True, "give objects lasting ids, fuse their boxes over views, remember what is out of sight"
    )
    confirmed_after: int = setting(3, "measurements of an object before it is remembered out of sight", 1, 1000)
    unconfirmed_for: float = setting(1.0, "an object measured less often keeps its id this long unseen, s", 0.0, 3600.0)
    forget_after: float = setting(120.0, "an object out of sight is forgotten after so long, s", 0.0, 1e6)
    sigma_growth: float = setting(0.01, "growth of an unseen object's centre sigma, m/s", 0.0, 10.0)
    gone_after: int = setting(2, "frames in a row that see an object's place empty before it is dropped", 1, 1000)
    taken_after: int = setting(5, "frames in a row that see another object in its place before it is dropped", 1, 1000)
    reacquire_within: float = setting(
        10.0, "a dropped object that is found elsewhere keeps its id so long, s", 0.0, 3600.0
    )
    time_jump: float = setting(1.0, "stamps that go back by more start a new sequence, s", 0.0, 3600.0)
    hold_pose: float = setting(0.5, "a frame without a pose borrows the last one for so long, s", 0.0, 60.0)
    most_remembered: int = setting(200, "most objects remembered out of sight", 0, 100000)
    fits_per_frame: int = setting(
        2, "most fused boxes that are fitted anew in one frame; of often fitted ones, one", 1, 1000
    )


@dataclass(frozen=True)
class SceneConfig:
    """Settings of :class:`joyai_ros.scene.engine.SceneEngine`."""

    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)
    relations: RelationConfig = field(default_factory=RelationConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    depth_noise: DepthNoise = field(default_factory=DepthNoise)
    world_is_level: bool = setting(True, "the world frame's z axis points against gravity (REP-103)")
