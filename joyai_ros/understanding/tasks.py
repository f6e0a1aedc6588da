"""The task table: everything that can be asked, with its prompt, the form of its answer, and how it is checked.

The capabilities are those that JoyAI-Image-Und is trained and evaluated on. Prompts speak of objects by what the question
calls them and, where they are marked on the image, by their mark: ``the cup (mark 2)``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from joyai_ros.errors import InputError
from joyai_ros.understanding.formats import AnswerFormat, Boxes, Choice, Count, Fields, Number, PointList, Text

MOST_VIEWS = 8
CLOCK = tuple(f"{hour} o'clock" for hour in range(1, 13))
AHEAD_DEG = 10.0  # to each side: what is straight ahead
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "grey", "white", "black")
MOVES = ("left", "right", "up", "down", "forward", "backward", "turned left", "turned right", "not at all")


class QuestionError(InputError):
    """A question cannot be asked: empty, too long, of an unknown task, or about too few or unknown objects or images."""


class Capability(enum.Enum):
    """What a task asks of the model."""

    MEASUREMENT = "measurement"
    RELATIONSHIP = "relationship"
    CAMERA = "camera perception"
    MULTI_VIEW = "multi-view consistency"
    REASONING = "scene-aware reasoning"
    GROUNDING = "grounding"
    FREE = "free"


class Scorer(enum.Enum):
    """How an answer is scored against the truth."""

    EXACT = "exact"  # the same choice or count
    RELATIVE = "relative"  # the relative error of a number
    OVERLAP = "overlap"  # intersection over union of boxes, or points within them
    POSE = "pose"  # rotation and translation apart
    NONE = "none"  # people judge it


@dataclass(frozen=True)
class Task:
    """One kind of question.

    Attributes:
        name: what users and messages call it.
        capability: the group it belongs to.
        prompt: what the model is asked; ``{a}``, ``{b}``, ``{c}`` stand for the objects, ``{all}`` for all of them,
            ``{question}`` for the user's words.
        answer: its form; None where it is a choice among the objects, or among the question's own options.
        objects: least and most objects that it is about.
        views: least and most images.
        scorer: how it is scored.
        check: the quantity that geometry measures for it (:mod:`joyai_ros.reasoning.measure`); empty where it cannot.
        asks_of: in which image each object is, for tasks over two views (1 is the second); the last one goes for all more.
    """

    name: str
    capability: Capability
    prompt: str
    answer: AnswerFormat | None
    objects: tuple[int, int] = (0, 0)
    views: tuple[int, int] = (1, 1)
    scorer: Scorer = Scorer.EXACT
    check: str = ""
    asks_of: tuple[int, ...] = (0,)


_PAIR, _ONE, _TWO_VIEWS = (2, 2), (1, 1), (2, 2)
_METRES = Number("m")
_POSE = Fields(
    numbers=(
        ("yaw_deg", -180.0, 180.0),
        ("pitch_deg", -90.0, 90.0),
        ("roll_deg", -180.0, 180.0),
        ("right_m", -20.0, 20.0),
        ("up_m", -20.0, 20.0),
        ("forward_m", -20.0, 20.0),
    )
)


def _measurement(name: str, prompt: str, answer: AnswerFormat, objects: tuple[int, int], check: str) -> Task:
    scorer = Scorer.EXACT if isinstance(answer, Count) else Scorer.RELATIVE
    return Task(name, Capability.MEASUREMENT, prompt, answer, objects, scorer=scorer, check=check)


def _relationship(name: str, prompt: str, options: tuple[str, ...] | None, objects: tuple[int, int] = _PAIR) -> Task:
    answer = None if options is None else Choice(options)
    return Task(name, Capability.RELATIONSHIP, prompt, answer, objects, check=name)


_ALL = (
    _measurement(
        "object_distance", "How far is {a} from {b}, between their closest points?", _METRES, _PAIR, "object_distance"
    ),
    _measurement("camera_distance", "How far is the middle of {a} from the camera?", _METRES, _ONE, "camera_distance"),
    _measurement("object_size", "How long is the longest side of {a}?", _METRES, _ONE, "object_size"),
    _measurement("object_height", "How tall is {a}, from its lowest to its highest point?", _METRES, _ONE, "height"),
    _measurement("count", "{question} Count them.", Count(), (0, 16), "count"),
    _relationship("left_right", "Seen from the camera, is {a} to the left or to the right of {b}?", ("left", "right")),
    _relationship("front_behind", "Seen from the camera, is {a} in front of or behind {b}?", ("in front of", "behind")),
    _relationship("above_below", "Is {a} above or below {b}?", ("above", "below")),
    _relationship("near_far", "Are {a} and {b} near each other or far apart?", ("near", "far")),
    _relationship("relative_distance", "Which is closer to {a}: {b} or {c}?", None, (3, 3)),
    _relationship("relative_size", "Which is bigger, by its longest side: {a} or {b}?", None),
    _relationship("relative_height", "Which is taller: {a} or {b}?", None),
    _relationship("depth_order", "Which of these is closest to the camera: {all}?", None, (2, 8)),
    Task(
        "camera_pose",
        Capability.CAMERA,
        "Between the first and the second image the camera moved. How, in the first camera's frame?",
        _POSE,
        views=_TWO_VIEWS,
        scorer=Scorer.POSE,
        check="camera_pose",
    ),
    Task(
        "camera_motion",
        Capability.CAMERA,
        "In which direction did the camera mostly move from the first image to the second?",
        Choice(MOVES),
        views=_TWO_VIEWS,
        check="camera_motion",
    ),
    Task(
        "object_camera",
        Capability.CAMERA,
        "At which clock direction does the camera see {a}, if it faces 12 o'clock?",
        Choice(CLOCK),
        _ONE,
        check="object_camera",
    ),
    Task(
        "correspondence",
        Capability.MULTI_VIEW,
        "Which of these in the second image is {a} of the first image: {rest}?",
        None,
        (2, 9),
        _TWO_VIEWS,
        check="correspondence",
        asks_of=(0, 1),
    ),
    Task(
        "reidentification",
        Capability.MULTI_VIEW,
        "Is {a} in the first image the same object as {b} in the second?",
        Choice(("yes", "no")),
        _PAIR,
        _TWO_VIEWS,
        check="reidentification",
        asks_of=(0, 1),
    ),
    Task(
        "cross_view_distance",
        Capability.MULTI_VIEW,
        "How far is {a} in the first image from {b} in the second, between their closest points?",
        _METRES,
        _PAIR,
        _TWO_VIEWS,
        Scorer.RELATIVE,
        "object_distance",
        (0, 1),
    ),
    Task(
        "cross_view_size",
        Capability.MULTI_VIEW,
        "Which is bigger, by its longest side: {a} in the first image or {b} in the second?",
        None,
        _PAIR,
        _TWO_VIEWS,
        check="relative_size",
        asks_of=(0, 1),
    ),
    Task(
        "cross_view_position",
        Capability.MULTI_VIEW,
        "Seen from the first camera, is {a} in the first image to the left or to the right of {b} in the second?",
        Choice(("left", "right")),
        _PAIR,
        _TWO_VIEWS,
        check="left_right",
        asks_of=(0, 1),
    ),
    Task("caption", Capability.REASONING, "Describe the scene in one or two sentences.", Text(), scorer=Scorer.NONE),
    Task(
        "reachability",
        Capability.REASONING,
        "Is the straight way from the camera to {a} free of other objects?",
        Choice(("yes", "no")),
        _ONE,
        check="reachability",
    ),
    Task(
        "clearance",
        Capability.REASONING,
        "How wide is the free gap between {a} and {b}, seen from above?",
        _METRES,
        _PAIR,
        scorer=Scorer.RELATIVE,
        check="clearance",
    ),
    Task(
        "direction_to_go",
        Capability.REASONING,
        f"To which side must a robot that looks through this camera turn to head for {{a}}? Within {AHEAD_DEG:g} degrees it is "
        "straight ahead.",
        Choice(("left", "straight ahead", "right")),
        _ONE,
        check="direction_to_go",
    ),
    Task("existence", Capability.GROUNDING, "{question} Look at the whole image.", Choice(("yes", "no"))),
    Task("color", Capability.GROUNDING, "Which colour is {a}?", Choice(COLORS), _ONE),
    Task(
        "ground_boxes",
        Capability.GROUNDING,
        "Find in the image: {question}. Give each one's bounding box.",
        Boxes(),
        (0, 16),
        scorer=Scorer.OVERLAP,
        check="boxes",
    ),
    Task(
        "ground_points",
        Capability.GROUNDING,
        "Find in the image: {question}. Give a point on each.",
        PointList(),
        (0, 16),
        scorer=Scorer.OVERLAP,
        check="points",
    ),
    Task(
        "clip",
        Capability.FREE,
        "The images are frames of one clip, in the order of time. {question}",
        Text(),
        views=(2, MOST_VIEWS),
        scorer=Scorer.NONE,
    ),
    Task("free", Capability.FREE, "{question}", Text(), (0, 16), (1, MOST_VIEWS), Scorer.NONE),
    Task("choice", Capability.FREE, "{question}", None, (0, 16), (1, MOST_VIEWS)),
)
TASKS = {task.name: task for task in _ALL}


def task_named(name: str) -> Task:
    """Return a task of the table.

    Raises:
        QuestionError: there is none of this name.
    """
    if name not in TASKS:
        raise QuestionError(f"there is no task {name!r}; tasks are: {', '.join(TASKS)}")
    return TASKS[name]
