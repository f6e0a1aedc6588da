"""The same questions asked again and again along a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from joyai_ros.perception.config import QuestionsConfig
from joyai_ros.perception.due import Due
from joyai_ros.perception.pipeline import Answered
from joyai_ros.reasoning.fallback import Outcome, SteadyAsker
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene
from joyai_ros.understanding.tasks import TASKS, QuestionError

_NOT_ASKED = "question that cannot be asked of a frame"
_NOT_ANSWERED = "question that the model did not answer"


def question_from_words(words: str) -> Question:
    """Return the question of a line, before which a task's name and a colon may stand.

    Raises:
        QuestionError: it is empty or too long.
    """
    task, colon, rest = words.partition(":")
    return Question(rest.strip(), task.strip()) if colon and task.strip() in TASKS else Question(words.strip())


class StreamQuestions:
    """Asks about a frame whenever it is due.

    What cannot be asked of a frame (its objects are out of sight) is left out; where the model fails, geometry answers.

    Args:
        config: the questions and their rate.
        asker: answers them.

    Raises:
        QuestionError: a question is empty or too long.
    """

    def __init__(self, config: QuestionsConfig, asker: SteadyAsker) -> None:
        asked = [question_from_words(words) for words in config.ask]
        self._questions = [replace(question, max_imagined_views=config.views) for question in asked]
        self._asker = asker
        self._due = Due(config.rate)

    def answer(self, observation: Observation, scene: Scene) -> Answered:
        """Return the answers about a frame; none where nothing is due."""
        if not self._questions or not self._due.is_due(observation.stamp):
            return Answered()
        looks = [Look(observation, scene)]
        problems: list[tuple[str, str]] = []
        try:
            outcomes = self._asker.ask_all(self._questions, looks)
        except QuestionError:  # one of them; the others are asked one by one
            outcomes = self._each(looks, problems)
        problems += [(_NOT_ANSWERED, str(outcome.error)) for outcome in outcomes if outcome.error is not None]
        answers = tuple(outcome.answer for outcome in outcomes if outcome.answer is not None)
        return Answered(answers, tuple(problems))

    def _each(self, looks: Sequence[Look], problems: list[tuple[str, str]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for question in self._questions:
            try:
                outcomes += self._asker.ask_all([question], looks)
            except QuestionError as error:
                problems.append((_NOT_ASKED, str(error)))
        return outcomes
