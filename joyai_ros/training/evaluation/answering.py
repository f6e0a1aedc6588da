"""Who answers the questions of an evaluation: a model through its backend, or geometry on what a robot measures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from joyai_ros.geometry.view import View
from joyai_ros.reasoning.asking import Asker, said_by
from joyai_ros.reasoning.compare import Said
from joyai_ros.reasoning.imagined import Imagine, from_depth, in_words, views_around
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.reasoning.requests import marks_of, spelled
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.training.data.records import Frame
from joyai_ros.training.data.store import Store
from joyai_ros.training.evaluation.judge import Judge
from joyai_ros.training.evaluation.questions import Posed, reference_of, together
from joyai_ros.training.evaluation.scoring import Outcome, score
from joyai_ros.understanding.backend import Backend, Finish, ModelError, ModelReply, ModelRequest
from joyai_ros.understanding.formats import AnswerFormatError, Choice, Text, parse
from joyai_ros.understanding.prompts import SYSTEM
from joyai_ros.understanding.tasks import QuestionError

BACKEND = "backend"  # the kind of failure that asking on does not help


class Answers(Protocol):
    """Answers questions; those about the same images follow each other."""

    @property
    def name(self) -> str:
        """Who answers."""

    @property
    def at_once(self) -> int:
        """How many questions are best asked together."""

    def answer(self, questions: Sequence[Posed]) -> list[Outcome]:
        """Answer some questions; whatever goes wrong with one of them is its outcome's failure."""


@dataclass(frozen=True)
class ModelAnswers:
    """A model, asked as it is trained: the stored prompts, images with numbered objects where a question points.

    Attributes:
        backend: runs it.
        store: that the questions are of.
        views: imagined views that are shown after the frame.
        yaw_deg: step between them on one side.
        imagine: makes them.
        timeout: seconds that a question may take, on average over those that are asked together.
        judge: of open answers.
        at_once: questions that are best asked together; one that fails has all of them asked again, one by one.
    """

    backend: Backend
    store: Store
    views: int = 0
    yaw_deg: float = 20.0
    imagine: Imagine = from_depth
    timeout: float = 60.0
    judge: Judge | None = None
    at_once: int = 1

    @property
    def name(self) -> str:
        """The model's card name."""
        return self.backend.name

    def answer(self, questions: Sequence[Posed]) -> list[Outcome]:
        """See :class:`Answers`."""
        requests = [request for group in together(questions) for request in self._requests(group)]
        try:
            replies = self._asked(requests)
        except ModelError as error:
            if len(questions) > 1:  # one that cannot be answered must not take the others with it
                return [outcome for posed in questions for outcome in self.answer([posed])]
            return [_failed(questions[0], f"{BACKEND}: {error}")]
        asked = zip(questions, requests, replies, strict=True)
        return [_of_reply(posed, request, reply, self.judge) for posed, request, reply in asked]

    def _asked(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        end = time.monotonic() + self.timeout * len(requests)
        return self.backend.answer(requests, None, lambda: time.monotonic() > end)

    def _requests(self, questions: Sequence[Posed]) -> list[ModelRequest]:
        """Return the requests of questions about the same images."""
        first = questions[0]
        images = tuple(self.store.color(first.entry, frame) for frame in first.frames)
        views = self._views(first)
        shown, words = (*images, *(view.image for view in views)), in_words(views)
        marks = marks_of(first.asked) if first.item.objects else ()
        return [
            ModelRequest(shown, posed.item.prompt + words, posed.wanted, SYSTEM, marks=marks) for posed in questions
        ]

    def _views(self, posed: Posed) -> list[View]:
        if self.views == 0:
            return []
        observation = observed(self.store, posed, posed.frames[0])
        return views_around(observation, self.views, self.yaw_deg, self.imagine)


@dataclass(frozen=True)
class GeometryAnswers:
    """The scene engine on noisy depth and true 2D boxes, and what geometry concludes from it; no weights.

    Attributes:
        store: that the questions are of.
        config: of the engine.
    """

    store: Store
    config: SceneConfig = SceneConfig()

    @property
    def name(self) -> str:
        """Who answers."""
        return "geometry"

    @property
    def at_once(self) -> int:
        """One: questions about other images share no work."""
        return 1

    def answer(self, questions: Sequence[Posed]) -> list[Outcome]:
        """See :class:`Answers`."""
        return [outcome for group in together(questions) for outcome in self._of_images(group)]

    def _of_images(self, questions: Sequence[Posed]) -> list[Outcome]:
        """Answer questions about the same images."""
        first = questions[0]
        seen = [observed(self.store, first, frame) for frame in first.frames]
        looks = [Look(item, SceneEngine(self.config).process(item)) for item in seen]
        asker = Asker(None, relations=self.config.relations)
        return [self._one(asker, posed, looks) for posed in questions]

    def _one(self, asker: Asker, posed: Posed, looks: list[Look]) -> Outcome:
        item = posed.item
        try:
            answer = asker.ask(Question(item.words or item.task, item.task, objects=item.objects), looks)
        except QuestionError as error:  # an object that was not measured has no name
            return _failed(posed, f"not measured: {error}")
        said = Said(answer.choice, answer.value, answer.boxes, answer.points, answer.pose)
        if not (said.choice or said.boxes or said.points) and said.value is None and said.pose is None:
            return _failed(posed, f"abstained: {answer.text}")
        log_p = math.log(max(answer.confidence, 1e-9)) if answer.choice else None
        return _scored(posed, said, _words(posed, answer), log_p)


def observed(store: Store, posed: Posed, frame: Frame) -> Observation:
    """Return a frame of a store as a robot has it: noisy images, pose, up, and 2D boxes round what is in sight."""
    shown = [thing.measured for thing in frame.objects]
    return Observation(
        color=store.color(posed.entry, frame),
        camera=frame.camera,
        depth=store.depth(posed.entry, frame),
        stamp=frame.stamp,
        world_from_camera=frame.world_from_camera,
        up=frame.up,
        detections=tuple(Detection(item.id, item.label, item.box) for item in shown if item.box is not None),
    )


def _of_reply(posed: Posed, request: ModelRequest, reply: ModelReply, judge: Judge | None) -> Outcome:
    if reply.finish is Finish.CANCELED:
        return _failed(posed, "timeout: it was not answered in time", reply.text)
    if reply.finish is Finish.LENGTH:
        return _failed(posed, "cut off: the answer reached the token limit", reply.text)
    try:
        parsed = parse(request.format, reply.text)
        if isinstance(request.format, Text):
            return _judged(posed, parsed.text, judge)
        said = said_by(posed.asked, parsed)
    except AnswerFormatError as error:
        return _failed(posed, f"format: {error}", reply.text)
    known = reply.token_logprobs if isinstance(request.format, Choice) else None
    return _scored(posed, said, reply.text, None if known is None else float(sum(known)))


def _judged(posed: Posed, text: str, judge: Judge | None) -> Outcome:
    item = posed.item
    assert judge is not None, "open questions are asked where there is a judge"
    points = judge(item.prompt, reference_of(item), text)
    return Outcome(item.id, item.task, item.scene, text, item.answer, points)


def _scored(posed: Posed, said: Said, text: str, log_p: float | None) -> Outcome:
    item = posed.item
    points = score(item.task, said, posed.truth, posed.places)
    return Outcome(item.id, item.task, item.scene, text, item.answer, points, "", log_p)


def _failed(posed: Posed, why: str, text: str = "") -> Outcome:
    item = posed.item
    return Outcome(item.id, item.task, item.scene, text, item.answer, 0.0, " ".join(why.split()))


def _words(posed: Posed, answer: Answer) -> str:
    """Return geometry's answer as people compare it with the truth: objects by their marks."""
    if answer.choice in posed.asked.options:
        return spelled(posed.asked)[posed.asked.options.index(answer.choice)]
    return answer.text
