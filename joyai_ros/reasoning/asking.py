"""Questions in, answers out: the model is asked, geometry measures the same, and the answer says how the two compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from joyai_ros.models.confidence import ConfidenceLines, line_of
from joyai_ros.reasoning.compare import Said, compare, pose_from_fields
from joyai_ros.reasoning.config import AskConfig, Policy
from joyai_ros.reasoning.imagined import Imagine, from_depth, in_words, views_around
from joyai_ros.reasoning.measure import measure
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked, Look, Question
from joyai_ros.reasoning.requests import format_of, marks_of, prompt_of, spelled
from joyai_ros.reasoning.resolve import resolve
from joyai_ros.reasoning.wording import measured_in_words, said_in_words
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.types import Status
from joyai_ros.understanding.backend import Backend, Finish, IsCanceled, ModelError, ModelReply, ModelRequest, OnText
from joyai_ros.understanding.formats import AnswerFormatError, Choice, Parsed, Text, parse
from joyai_ros.understanding.prompts import SYSTEM


class Asker:
    """Answers questions about frames.

    Args:
        backend: the model; None: geometry answers alone.
        config: the policy and when answers agree.
        relations: the margins of relations.
        confidence: calibrates the confidence of choices (from the model's card); none is given where it does not.
        imagine: makes the imagined views that questions may be shown.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        config: AskConfig = AskConfig(),
        relations: RelationConfig = RelationConfig(),
        confidence: ConfidenceLines | None = None,
        imagine: Imagine = from_depth,
    ) -> None:
        self._backend = backend
        self._imagine = imagine
        self._config = config
        self._relations = relations
        self._lines = confidence or {}

    def ask(self, question: Question, looks: Sequence[Look]) -> Answer:
        """Answer one question; see :meth:`ask_all`."""
        return self.ask_all([question], looks)[0]

    def ask_all(
        self,
        questions: Sequence[Question],
        looks: Sequence[Look],
        on_text: OnText | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> list[Answer]:
        """Answer questions about the same frames; what the model computes of the frames is shared.

        Args:
            questions: any number.
            looks: the frames, the newest first.
            on_text: called with a question's index and the model's text so far.
            is_canceled: asked before each token.

        Raises:
            QuestionError: a question cannot be asked of these frames.
            ModelError: the model cannot answer; geometry still can (``Asker(None)``).
        """
        every = [resolve(item, looks, self._backend is None, self._relations) for item in questions]
        measured = [measure(asked) for asked in every]
        if self._backend is None:
            return [_from_geometry(asked, found) for asked, found in zip(every, measured, strict=True)]
        requests = [self._request(asked, is_canceled) for asked in every]
        replies = self._backend.answer(requests, on_text, is_canceled)
        answers = zip(every, measured, requests, replies, strict=True)
        return [self._judged(asked, found, request, reply) for asked, found, request, reply in answers]

    def _request(self, asked: Asked, is_canceled: IsCanceled | None = None) -> ModelRequest:
        count, yaw_deg = asked.question.max_imagined_views, self._config.imagined_yaw_deg
        views = views_around(asked.looks[0].observation, count, yaw_deg, self._imagine, is_canceled)
        images = (*(look.observation.color for look in asked.looks), *(view.image for view in views))
        prompt = prompt_of(asked) + in_words(views)
        return ModelRequest(images, prompt, format_of(asked), SYSTEM, marks=marks_of(asked))

    def _judged(self, asked: Asked, measured: Measured | None, request: ModelRequest, reply: ModelReply) -> Answer:
        """Return the answer that the policy makes of the model's reply and the measurement."""
        assert self._backend is not None
        views = len(request.images)
        if reply.finish is Finish.CANCELED:
            return replace(_bare(asked), text=reply.text, model=self._backend.name, evidence_views=views)
        parsed = _parsed(request, reply)
        if isinstance(request.format, Text):
            text = parsed.text.strip()
            return replace(_bare(asked), text=text, model=self._backend.name, evidence_views=views)
        said = said_by(asked, parsed)
        status = compare(said, measured, self._config.compare)
        answer = _from_both(asked, said, parsed.unit, measured, status, self._config.policy)
        if answer.choice == said.choice:  # else it is geometry's choice, and geometry's confidence
            answer = replace(answer, confidence=self._confidence(asked.task.name, request, reply))
        return replace(answer, model=self._backend.name, evidence_views=views)

    def _confidence(self, task: str, request: ModelRequest, reply: ModelReply) -> float:
        """Return the calibrated probability of the chosen option; NaN where the backend or the card does not tell."""
        line = line_of(self._lines, task)
        if line is None or reply.token_logprobs is None or not isinstance(request.format, Choice):
            return math.nan
        return line.confidence(sum(reply.token_logprobs))


def _parsed(request: ModelRequest, reply: ModelReply) -> Parsed:
    try:
        return parse(request.format, reply.text)
    except AnswerFormatError as error:
        raise ModelError(f"the model's answer cannot be used: {error}; ask again, or another model") from error


def said_by(asked: Asked, parsed: Parsed) -> Said:
    """Return the model's answer in the terms of a measurement: object ids, pixels, metres."""
    height, width = asked.looks[0].observation.color.shape[:2]
    choice = asked.options[spelled(asked).index(parsed.choice)] if parsed.choice else ""
    return Said(
        choice=choice,
        value=parsed.value,
        boxes=tuple((x0 * width, y0 * height, x1 * width, y1 * height) for x0, y0, x1, y1 in parsed.boxes),
        points=tuple((x * width, y * height) for x, y in parsed.points),
        pose=pose_from_fields(parsed.fields) if parsed.fields else None,
    )


def _bare(asked: Asked) -> Answer:
    observation = asked.looks[0].observation
    return Answer(
        question=asked.question.text,
        text="",
        task=asked.task.name,
        evidence_objects=tuple(thing.id for thing in asked.things),
        evidence_views=len(asked.looks),
        stamp=observation.stamp,
        frame_id=observation.frame_id,
    )


def _from_geometry(asked: Asked, measured: Measured | None) -> Answer:
    """Return what geometry says by itself."""
    answer = replace(_bare(asked), text=measured_in_words(asked, measured))
    if measured is None:
        return answer
    has_choice = bool(measured.choice)
    return replace(
        answer,
        choice=measured.choice,
        value=measured.value,
        unit=measured.unit,
        sigma=measured.sigma,
        boxes=measured.boxes,
        points=measured.points,
        pose=measured.pose,
        evidence=measured.evidence,
        confidence=measured.confidence if has_choice else math.nan,
        geometry_value=measured.value,
    )


def _from_both(
    asked: Asked, said: Said, unit: str, measured: Measured | None, status: Status, policy: Policy
) -> Answer:
    """Return the model's answer or the measurement, as the policy wants it; both values stand in it.

    A model's number without a measurement is no measurement: it stands in ``model_value`` alone.
    """
    if status is Status.CONTRADICT and policy is Policy.GEOMETRY:
        known = _from_geometry(asked, measured)
        text = f"{known.text} {said_in_words(asked, said, unit, status)}"
        return replace(known, text=text, status=status, model_value=said.value)
    geometry_value = None if measured is None else measured.value
    text = said_in_words(asked, said, unit, status)
    answer = replace(
        _bare(asked),
        text=text,
        unit=unit or (measured.unit if measured is not None else ""),
        evidence=() if measured is None else measured.evidence,
        status=status,
        model_value=said.value,
        geometry_value=geometry_value,
    )
    if status is Status.CONTRADICT and policy is Policy.ABSTAIN:
        return replace(answer, text=f"The model and geometry do not agree. {text}")
    is_metric = said.value is not None and unit != "1"
    trusted = status is not Status.UNCHECKED or not is_metric
    value = said.value if trusted else None
    sigma = None
    if status is Status.AGREE and measured is not None and measured.value is not None and is_metric:
        value, sigma = measured.value, measured.sigma  # of two values that agree the measured one has an uncertainty
    return replace(
        answer, choice=said.choice, value=value, sigma=sigma, boxes=said.boxes, points=said.points, pose=said.pose
    )
