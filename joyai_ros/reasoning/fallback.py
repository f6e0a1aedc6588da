"""Answers although the model fails: geometry stands in, and the failure is told beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.config import AskConfig
from joyai_ros.reasoning.imagined import Imagine, from_depth, open_views
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.config import RelationConfig
from joyai_ros.understanding.backend import IsCanceled, ModelError, OnText
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.opening import OpenModel, open_model
from joyai_ros.understanding.tasks import QuestionError


@dataclass(frozen=True)
class Outcome:
    """What a question brought.

    Attributes:
        answer: the model's, or geometry's where the model failed; None where geometry does not understand the question.
        error: why the model failed; None where it did not.
    """

    answer: Answer | None
    error: ModelError | None = None


@contextmanager
def open_asker(
    model: ModelConfig, ask: AskConfig, relations: RelationConfig, imagination: ImaginationConfig | None = None
) -> Iterator[SteadyAsker]:
    """Load the model of the settings, and the one that draws views for it, and give them back at the end.

    Args:
        model: answers.
        ask: the policy and when answers agree.
        relations: the margins of relations.
        imagination: what draws the views that questions are shown; None: depth does.

    Raises:
        JoyaiError: as :func:`joyai_ros.understanding.opening.open_model` and
            :func:`joyai_ros.imagination.opening.open_painter`.
    """
    with closing(open_model(model)) as opened:
        imagine = from_depth if opened.backend is None or imagination is None else open_views(imagination)
        yield SteadyAsker(opened, ask, relations, imagine)


class SteadyAsker:
    """Asks the model, and geometry where the model fails.

    Args:
        opened: the model; where there is none, geometry is asked at once.
        ask: the policy and when answers agree.
        relations: the margins of relations.
        imagine: makes the imagined views that questions may be shown.
    """

    def __init__(
        self, opened: OpenModel, ask: AskConfig, relations: RelationConfig, imagine: Imagine = from_depth
    ) -> None:
        self._asker = Asker(opened.backend, ask, relations, opened.confidence, imagine)
        self._geometry = Asker(None, ask, relations)

    def ask_all(
        self,
        questions: Sequence[Question],
        looks: Sequence[Look],
        on_text: OnText | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> list[Outcome]:
        """Answer questions about the same frames; arguments as for :meth:`joyai_ros.reasoning.asking.Asker.ask_all`.

        Raises:
            QuestionError: one cannot be asked of these frames; none was.
        """
        try:
            return [Outcome(answer) for answer in self._asker.ask_all(questions, looks, on_text, is_canceled)]
        except ModelError as error:
            return [Outcome(self._measured(question, looks), error) for question in questions]

    def _measured(self, question: Question, looks: Sequence[Look]) -> Answer | None:
        """Return geometry's answer; None where it does not understand the question."""
        try:
            return self._geometry.ask(question, looks)
        except QuestionError:
            return None
