"""What the model adds to a scene by itself: relations that it sees, and names for objects that nobody has named."""

from __future__ import annotations

from dataclasses import replace

from joyai_ros.reasoning.question import Look
from joyai_ros.scene.predicates import CONVERSE, SYMMETRIC, Predicate, frame_of
from joyai_ros.scene.types import LabelSource, Scene, SceneObject, Source, SpatialRelation, Status
from joyai_ros.understanding.anchors import draw_marks
from joyai_ros.understanding.backend import Backend, Finish, ModelReply, ModelRequest
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


def propose_relations(look: Look, backend: Backend) -> Scene:
    """Return a frame's scene with the relations that the model sees merged into it.

    A statement that geometry has made too gets the status AGREE. Where geometry states the converse, its own statement stays
    and gets the status CONTRADICT: a scene never states both. What geometry says nothing of is added with the
    model as its source, unchecked and without a value.

    Args:
        look: the frame.
        backend: the model.

    Raises:
        ModelError: the model cannot answer.
    """
    marks = {str(k): thing.id for k, thing in enumerate(look.things, start=1) if thing.box is not None}
    if len(marks) < 2:
        return look.scene
    wanted = Triples(tuple(marks), tuple(STATED))
    reply = backend.answer([_request(look, _RELATIONS_PROMPT, wanted)])[0]
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
    return replace(item, status=status) if item.source is Source.GEOMETRY else item


def name_clusters(look: Look, backend: Backend, most: int = 4) -> Scene:
    """Return a frame's scene with names for visible objects that nobody named, the largest first.

    The object is pointed at by its mark on the image, so that a name cannot end up on another one.

    Args:
        look: the frame.
        backend: the model.
        most: names asked for in one go; the rest waits for a later frame.

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
    for item, reply in zip(unnamed, backend.answer(requests), strict=True):
        parsed = _usable(wanted, reply)
        if parsed is not None and (name := plain(parsed.text, _MOST_NAME)):
            names[item.id] = name
    return replace(look.scene, objects=tuple(_named(item, names) for item in look.scene.objects))


def _named(item: SceneObject, names: dict[str, str]) -> SceneObject:
    if item.id not in names:
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
