"""The constants of the scene distribution ``tabletop-v1``. Frozen: scores refer to it by name, so a change needs a new name.

``docs/tabletop-v1.md`` describes it in words and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.description import Triple
from joyai_ros.sim.draws import Range

DimensionRanges = tuple[tuple[str, Range], ...]


@dataclass(frozen=True)
class KindRanges:
    """How often a kind occurs, how large it is (metres), how often it lies, and the range of its texture's repeat."""

    weight: float
    dimensions: DimensionRanges
    lying: float = 0.0


@dataclass(frozen=True)
class SensorKind:
    """An RGB-D sensor: its colour intrinsics, how it measures depth, and how often it occurs."""

    name: str
    camera: Camera
    depth_model: str
    weight: float


@dataclass(frozen=True)
class Tabletop:
    """Ranges and probabilities of a scene distribution; lengths in metres, angles in degrees."""

    name: str
    # Objects
    kinds: tuple[tuple[str, KindRanges], ...]
    contents: tuple[tuple[str, KindRanges], ...]
    mug_content: KindRanges
    colors: tuple[tuple[str, Triple], ...]
    color_jitter: float
    patterns: tuple[tuple[str, float], ...]
    pattern_scale: Range
    gloss: Range
    reflective: float
    # Arrangement
    dense: float
    counts_sparse: tuple[int, int]
    counts_dense: tuple[int, int]
    spread_sparse: Range
    spread_dense: Range
    clearance_sparse: float
    clearance_dense: float
    stacking: float
    containment: float
    mug_containment: float
    touching: float
    touching_gap: float
    # Room
    table_length: Range
    table_width: Range
    table_diameter: Range
    table_height: Range
    table_thickness: Range
    table_round: float
    table_colors: tuple[Triple, ...]
    floor_colors: tuple[Triple, ...]
    wall_colors: tuple[Triple, ...]
    walls: tuple[tuple[int, float], ...]
    wall_gap: Range
    # Light
    lights: tuple[tuple[int, float], ...]
    light_elevation: Range
    light_total: Range
    ambient: Range
    # Camera
    sensors: tuple[SensorKind, ...]
    distance: Range
    elevation: Range
    roll: Range
    target_radius: float
    target_rise: Range
    clear_of_objects: float
    in_view: float
    # Sensor noise
    noise_strength: Range
    edge_loss: Range
    hole_density: Range
    exposure: Range
    blur: Range
    grain: Range


TABLETOP_V1 = Tabletop(
    name="tabletop-v1",
    kinds=(
        ("box", KindRanges(0.16, (("length", (0.06, 0.20)), ("width", (0.04, 0.12)), ("height", (0.04, 0.25))))),
        ("cylinder", KindRanges(0.13, (("radius", (0.025, 0.05)), ("height", (0.05, 0.16))), lying=0.25)),
        ("ball", KindRanges(0.08, (("radius", (0.025, 0.06)),))),
        ("capsule", KindRanges(0.05, (("radius", (0.018, 0.035)), ("height", (0.10, 0.20))), lying=1.0)),
        (
            "mug",
            KindRanges(
                0.14,
                (
                    ("radius", (0.034, 0.050)),
                    ("height", (0.08, 0.12)),
                    ("wall", (0.003, 0.005)),
                    ("floor", (0.005, 0.008)),
                    ("handle_reach", (0.028, 0.038)),
                    ("handle_height", (0.050, 0.065)),
                    ("handle_radius", (0.004, 0.006)),
                ),
            ),
        ),
        (
            "bowl",
            KindRanges(
                0.09,
                (
                    ("radius", (0.065, 0.105)),
                    ("foot_radius", (0.030, 0.045)),
                    ("height", (0.045, 0.080)),
                    ("wall", (0.004, 0.006)),
                    ("floor", (0.005, 0.008)),
                ),
            ),
        ),
        (
            "tray",
            KindRanges(
                0.07,
                (
                    ("length", (0.18, 0.30)),
                    ("width", (0.13, 0.20)),
                    ("height", (0.04, 0.11)),
                    ("wall", (0.005, 0.008)),
                    ("floor", (0.005, 0.008)),
                ),
            ),
        ),
        (
            "plate",
            KindRanges(
                0.06,
                (
                    ("radius", (0.085, 0.130)),
                    ("foot_radius", (0.050, 0.070)),
                    ("height", (0.016, 0.026)),
                    ("wall", (0.007, 0.010)),
                    ("floor", (0.004, 0.006)),
                ),
            ),
        ),
        ("book", KindRanges(0.09, (("length", (0.16, 0.25)), ("width", (0.11, 0.17)), ("height", (0.015, 0.045))))),
        ("marker", KindRanges(0.04, (("radius", (0.0075, 0.011)), ("height", (0.12, 0.16))), lying=1.0)),
        (
            "bottle",
            KindRanges(
                0.09,
                (
                    ("radius", (0.030, 0.042)),
                    ("neck_radius", (0.012, 0.016)),
                    ("body_height", (0.11, 0.18)),
                    ("shoulder_height", (0.025, 0.050)),
                    ("height", (0.025, 0.060)),
                ),
                lying=0.2,
            ),
        ),
        (
            "l_block",
            KindRanges(
                0.03,
                (("length", (0.12, 0.18)), ("width", (0.09, 0.12)), ("arm", (0.03, 0.05)), ("height", (0.03, 0.06))),
            ),
        ),
        (
            "cross",
            KindRanges(
                0.03,
                (("length", (0.12, 0.18)), ("width", (0.10, 0.12)), ("arm", (0.03, 0.045)), ("height", (0.03, 0.06))),
            ),
        ),
    ),
    contents=(
        ("ball", KindRanges(0.35, (("radius", (0.020, 0.034)),))),
        ("box", KindRanges(0.30, (("length", (0.035, 0.060)), ("width", (0.025, 0.045)), ("height", (0.025, 0.080))))),
        ("cylinder", KindRanges(0.25, (("radius", (0.018, 0.028)), ("height", (0.035, 0.090))))),
        ("capsule", KindRanges(0.10, (("radius", (0.012, 0.018)), ("height", (0.055, 0.080))), lying=1.0)),
    ),
    mug_content=KindRanges(1.0, (("radius", (0.0065, 0.009)), ("height", (0.15, 0.18)))),
    colors=(
        ("red", (0.78, 0.10, 0.10)),
        ("orange", (0.95, 0.48, 0.06)),
        ("yellow", (0.93, 0.82, 0.12)),
        ("green", (0.12, 0.55, 0.18)),
        ("blue", (0.12, 0.26, 0.75)),
        ("purple", (0.47, 0.16, 0.60)),
        ("white", (0.92, 0.92, 0.90)),
        ("black", (0.09, 0.09, 0.10)),
    ),
    color_jitter=0.05,
    patterns=(("plain", 0.45), ("checker", 0.15), ("stripes", 0.2), ("noise", 0.2)),
    pattern_scale=(0.03, 0.08),
    gloss=(0.0, 0.5),
    reflective=0.15,
    dense=0.4,
    counts_sparse=(3, 7),
    counts_dense=(6, 10),
    spread_sparse=(0.20, 0.34),
    spread_dense=(0.15, 0.24),
    clearance_sparse=0.03,
    clearance_dense=0.006,
    stacking=0.45,
    containment=0.55,
    mug_containment=0.25,
    touching=0.12,
    touching_gap=0.0004,
    table_length=(0.9, 1.6),
    table_width=(0.7, 1.0),
    table_diameter=(0.9, 1.2),
    table_height=(0.68, 0.78),
    table_thickness=(0.02, 0.05),
    table_round=0.25,
    table_colors=(
        (0.62, 0.44, 0.28),
        (0.42, 0.28, 0.18),
        (0.80, 0.70, 0.55),
        (0.75, 0.75, 0.74),
        (0.35, 0.37, 0.40),
        (0.88, 0.87, 0.83),
        (0.30, 0.42, 0.38),
    ),
    floor_colors=((0.45, 0.43, 0.40), (0.62, 0.58, 0.52), (0.30, 0.30, 0.33), (0.50, 0.36, 0.26), (0.55, 0.58, 0.60)),
    wall_colors=((0.80, 0.78, 0.72), (0.70, 0.76, 0.80), (0.78, 0.72, 0.66), (0.60, 0.64, 0.60), (0.86, 0.86, 0.86)),
    walls=((0, 0.35), (1, 0.40), (2, 0.25)),
    wall_gap=(0.10, 1.20),
    lights=((1, 0.35), (2, 0.4), (3, 0.25)),
    light_elevation=(35.0, 80.0),
    light_total=(0.70, 0.95),
    ambient=(0.26, 0.42),
    sensors=(
        SensorKind("d435", Camera(640, 480, 615.37, 615.31, 323.84, 238.51), "stereo", 0.35),
        SensorKind("kinect", Camera(640, 480, 525.61, 525.18, 316.42, 249.76), "structured_light", 0.25),
        SensorKind("astra", Camera(640, 480, 570.34, 570.34, 314.50, 235.50), "structured_light", 0.15),
        SensorKind("azure", Camera(640, 480, 504.92, 505.07, 326.73, 243.18), "time_of_flight", 0.25),
    ),
    distance=(0.5, 1.3),
    elevation=(20.0, 60.0),
    roll=(-3.0, 3.0),
    target_radius=0.14,
    target_rise=(0.0, 0.08),
    clear_of_objects=0.28,
    in_view=0.6,
    noise_strength=(0.6, 1.2),
    edge_loss=(0.15, 0.6),
    hole_density=(2.0, 6.0),
    exposure=(0.85, 1.15),
    blur=(0.0, 0.8),
    grain=(0.5, 3.5),
)
