"""What the model adds to a scene by itself: relations that it sees, and names for objects that nobody has named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from joyai_ros.perception.due import Due
from joyai_ros.reasoning.question import Look
from joyai_ros.scene.predicates import CONVERSE, SYMMETRIC, Predicate, frame_of
from joyai_ros.scene.types import LabelSource, Scene, SceneObject, Source, SpatialRelation, Status
from joyai_ros.understanding.anchors import draw_marks
from joyai_ros.understanding.backend import Backend, Finish, IsCanceled, ModelReply, ModelRequest
from joyai_ros.understanding.formats import AnswerFormat, AnswerFormatError, Parsed, Text, Triples, parse
from joyai_ros.understanding.prompts import SYSTEM, plain

# What a model may state, in its words. Measured quantities are not for it to state.
STATED = {
    predicate.value.replace("_", " "): predicate
    for predicate in (
        Predicate.LEFT_OF,
        Predicate.RIGHT_OF,
        Predicate.IN_FRONT_OF,
        Predicate.BEHIND,
        Predicate.ABOVE,
        Predicate.BELOW,
        Predicate.ON,
        Predicate.UNDER,
        Predicate.INSIDE,
        Predicate.CONTAINS,
        Predicate.TOUCHING,
        Predicate.TALLER_THAN,
        Predicate.SHORTER_THAN,
        Predicate.BIGGER_THAN,
        Predicate.SMALLER_THAN,
    )
}
_MOST_NAME = 40  # characters
_RELATIONS_PROMPT = (
    "State how the marked objects lie to each other, as the camera sees them. Use the numbers of the marks, and only what "
    "is plain to see."
)
_NAME_PROMPT = "What is the object with mark {mark}? Name it in one to three words."

Statement = tuple[str, Predicate, str]


def propose_relations(look: Look, backend: Backend, is_canceled: IsCanceled | None = None) -> Scene:
    """Return a frame's scene with the relations that the model sees merged into it.

    A statement that geometry has made too gets the status AGREE. Where geometry states the converse, its own statement stays
    and gets the status CONTRADICT: a scene never states both. What geometry says nothing of is added with the
    model as its source, unchecked and without a value.

    Args:
        look: the frame.
        backend: the model.
        is_canceled: asked before each token; once true, the scene is returned as it was.

    Raises:
        ModelError: the model cannot answer.
    """
    marks = {str(k): thing.id for k, thing in enumerate(look.things, start=1) if thing.box is not None}
    if len(marks) < 2:
        return look.scene
    wanted = Triples(tuple(marks), tuple(STATED))
    reply = backend.answer([_request(look, _RELATIONS_PROMPT, wanted)], None, is_canceled)[0]
    parsed = _usable(wanted, reply)
    said = [(marks[a], STATED[word], marks[b]) for a, word, b in parsed.triples] if parsed else []
    return merged(look.scene, said)


def merged(scene: Scene, said: list[Statement]) -> Scene:
    """Return a scene with statements of a model merged into its relations (see :func:`propose_relations`)."""
    relations = list(scene.relations)
    place = {(item.subject, item.predicate, item.objects): k for k, item in enumerate(relations)}
    for subject, predicate, other in said:
        if subject == other:
            continue
        for first, name, second in _both_ways(subject, predicate, other):
            same = place.get((first, name, (second,)))
            against = place.get((second, name, (first,))) if Predicate(name) not in SYMMETRIC else None
            if same is not None:
                relations[same] = _with_status(relations[same], Status.AGREE)
            elif against is not None:
                relations[against] = _with_status(relations[against], Status.CONTRADICT)
            else:
                place[first, name, (second,)] = len(relations)
                frame = frame_of(Predicate(name))
                relations.append(SpatialRelation(first, name, (second,), frame=frame, source=Source.MODEL))
    return replace(scene, relations=tuple(relations))


def _both_ways(subject: str, predicate: Predicate, other: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    converse = CONVERSE.get(predicate, predicate)
    return (subject, predicate.value, other), (other, converse.value, subject)


def _with_status(item: SpatialRelation, status: Status) -> SpatialRelation:
    """Only what geometry states can be checked; what the model said before stays unchecked."""
    return item._replace(status=status) if item.source is Source.GEOMETRY else item


def name_clusters(look: Look, backend: Backend, most: int = 4, is_canceled: IsCanceled | None = None) -> Scene:
    """Return a frame's scene with names for visible objects that nobody named, the largest first.

    The object is pointed at by its mark on the image, so that a name cannot end up on another one.

    Args:
        look: the frame.
        backend: the model.
        most: names asked for in one go; the rest waits for a later frame.
        is_canceled: asked before each token; names that are not complete by then are not given.

    Raises:
        ModelError: the model cannot answer.
    """
    marks = {thing.id: k for k, thing in enumerate(look.things, start=1)}
    unnamed = [item for item in look.scene.objects if item.visible and item.box is not None and not item.label]
    unnamed = sorted(unnamed, key=lambda item: -item.points)[:most]
    if not unnamed:
        return look.scene
    wanted = Text(_MOST_NAME)
    requests = [_request(look, _NAME_PROMPT.format(mark=marks[item.id]), wanted) for item in unnamed]
    names: dict[str, str] = {}
    for item, reply in zip(unnamed, backend.answer(requests, None, is_canceled), strict=True):
        parsed = _usable(wanted, reply)
        if parsed is not None and (name := plain(parsed.text, _MOST_NAME)):
            names[item.id] = name
    return with_names(look.scene, names)


def with_names(scene: Scene, names: Mapping[str, str]) -> Scene:
    """Return a scene in which objects that nobody named bear the names that a model gave them, by their ids."""
    return replace(scene, objects=tuple(_named(item, names) for item in scene.objects))


def _named(item: SceneObject, names: Mapping[str, str]) -> SceneObject:
    if item.id not in names or item.label:
        return item
    return replace(item, label=names[item.id], label_source=LabelSource.MODEL)


def _request(look: Look, prompt: str, wanted: AnswerFormat) -> ModelRequest:
    image = draw_marks(look.observation.color, [thing.box for thing in look.things])
    return ModelRequest((image,), prompt, wanted, SYSTEM)


def _usable(wanted: AnswerFormat, reply: ModelReply) -> Parsed | None:
    """Return what a reply says; None where it was cut off or is not in the format: then nothing is added."""
    if reply.finish is not Finish.STOP:
        return None
    try:
        return parse(wanted, reply.text)
    except AnswerFormatError:
        return None


class Proposer:
    """Lets a model add to scenes now and then; names that it gave stay with their objects.

    Args:
        backend: the model; None: it is never due.
        rate: times a second; 0: never.
    """

    def __init__(self, backend: Backend | None, rate: float) -> None:
        self._backend = backend
        self._due = Due(rate if backend is not None else 0.0)
        self._names: dict[str, str] = {}

    def is_due(self, moment: int) -> bool:
        """Return whether it is time again, by a clock in nanoseconds."""
        return self._due.is_due(moment)

    def scene(self, look: Look, is_canceled: IsCanceled | None = None) -> Scene | None:
        """Return a frame's scene with the names and relations that the model gives; None once it was cancelled.

        Raises:
            ModelError: the model cannot answer.
        """
        if self._backend is None:
            return None
        known = replace(look, scene=with_names(look.scene, self._names))
        named = name_clusters(known, self._backend, is_canceled=is_canceled)
        self._names |= {item.id: item.label for item in named.objects if item.label_source is LabelSource.MODEL}
        scene = propose_relations(replace(look, scene=named), self._backend, is_canceled)
        return None if is_canceled is not None and is_canceled() else scene
