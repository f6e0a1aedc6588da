"""Names of the relations, their converses, units and frames. Definitions and margins stand in docs/relations.md."""

from __future__ import annotations

import enum

from joyai_ros.scene.types import Frame


class Predicate(str, enum.Enum):
    """Every predicate that the scene engine can state."""

    LEFT_OF = "left_of"
    RIGHT_OF = "right_of"
    IN_FRONT_OF = "in_front_of"
    BEHIND = "behind"
    ABOVE = "above"
    BELOW = "below"
    ON = "on"
    UNDER = "under"
    INSIDE = "inside"
    CONTAINS = "contains"
    TOUCHING = "touching"
    NEAR = "near"
    FAR = "far"
    TALLER_THAN = "taller_than"
    SHORTER_THAN = "shorter_than"
    BIGGER_THAN = "bigger_than"
    SMALLER_THAN = "smaller_than"
    CLOSER_THAN = "closer_than"
    FARTHER_THAN = "farther_than"
    BETWEEN = "between"
    ALIGNED = "aligned"
    FACING = "facing"
    HEIGHT = "height"
    SIZE = "size"
    CAMERA_DISTANCE = "camera_distance"
    BEARING = "bearing"
    CLOCK_DIRECTION = "clock_direction"
    DISTANCE = "distance"
    CENTER_DISTANCE = "center_distance"


CONVERSE = {
    Predicate.LEFT_OF: Predicate.RIGHT_OF,
    Predicate.IN_FRONT_OF: Predicate.BEHIND,
    Predicate.ABOVE: Predicate.BELOW,
    Predicate.ON: Predicate.UNDER,
    Predicate.INSIDE: Predicate.CONTAINS,
    Predicate.TALLER_THAN: Predicate.SHORTER_THAN,
    Predicate.BIGGER_THAN: Predicate.SMALLER_THAN,
    Predicate.CLOSER_THAN: Predicate.FARTHER_THAN,
}
CONVERSE |= {converse: predicate for predicate, converse in CONVERSE.items()}
SYMMETRIC = frozenset(
    {
        Predicate.TOUCHING,
        Predicate.NEAR,
        Predicate.FAR,
        Predicate.ALIGNED,
        Predicate.DISTANCE,
        Predicate.CENTER_DISTANCE,
    }
)
PROPERTIES = frozenset(
    {Predicate.HEIGHT, Predicate.SIZE, Predicate.CAMERA_DISTANCE, Predicate.BEARING, Predicate.CLOCK_DIRECTION}
)
VIEWER_FRAME = frozenset(
    {
        Predicate.LEFT_OF,
        Predicate.RIGHT_OF,
        Predicate.IN_FRONT_OF,
        Predicate.BEHIND,
        Predicate.CLOSER_THAN,
        Predicate.FARTHER_THAN,
        Predicate.CAMERA_DISTANCE,
        Predicate.BEARING,
        Predicate.CLOCK_DIRECTION,
    }
)


def frame_of(predicate: Predicate) -> Frame:
    """Return the frame in which a predicate holds."""
    if predicate in VIEWER_FRAME:
        return Frame.VIEWER
    return Frame.OBJECT if predicate is Predicate.FACING else Frame.WORLD
