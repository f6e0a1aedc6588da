"""The question node: questions about what the robot sees, from a topic or as goals, answered by a model and by geometry."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from std_msgs.msg import String

from joyai_ros.action import Ask
from joyai_ros.errors import InputError
from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.messages import headers
from joyai_ros.messages.answer import answer_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.scene import scene_message
from joyai_ros.msg import Answer as AnswerMessage
from joyai_ros.msg import Scene as SceneMessage
from joyai_ros.nodes import qos
from joyai_ros.nodes.asked_frames import AskedFrames
from joyai_ros.nodes.camera_stream import CameraFrame
from joyai_ros.nodes.config import QaNodeConfig
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.goals import Goal, OneGoalServer
from joyai_ros.nodes.stream_node import StreamNode
from joyai_ros.nodes.viewpoints import LatestScene
from joyai_ros.perception.outputs import ANSWER, SCENE
from joyai_ros.reasoning.fallback import Outcome, SteadyAsker
from joyai_ros.reasoning.imagined import Imagine, from_depth, open_views
from joyai_ros.reasoning.proposals import Proposer
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.reasoning.stream_questions import question_from_words
from joyai_ros.scene.answer import Answer
from joyai_ros.understanding.backend import ModelError, ModelMemoryError
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.opening import OpenModel, open_model
from joyai_ros.understanding.tasks import TASKS, QuestionError

QUESTION, MODEL_SCENE = "question", "model_scene"
_CLOSING = 10.0  # seconds that a question in work has to notice that it is no longer wanted


class QaNode(StreamNode[QaNodeConfig]):
    """Answers questions about the newest frame, or about the images of a goal.

    The model is loaded once, when the node is configured. Where it does not fit into the memory, or fails on a question,
    the node goes on and geometry answers.

    Args:
        open_model: loads the model of the settings.
        options: as for :class:`joyai_ros.nodes.managed.ManagedNode`.
    """

    NAME = "joyai_qa"
    CONFIG = QaNodeConfig
    LIVE = ("ask.", "stale_after", "recover_after")

    def __init__(self, *, open_model: Callable[[ModelConfig], OpenModel] = open_model, **options: Any) -> None:
        self._open_model = open_model
        self._factory = RosFactory()
        self._scenes = LatestScene()
        self._frames: AskedFrames | None = None  # once TF is listened to
        self._opened = OpenModel()
        self._imagine: Imagine = from_depth
        self._trouble: ModelError | None = None  # why there is no model, or why it failed on the last question
        self._stopping = threading.Event()
        self._model_lock = threading.Lock()  # a model answers one caller at a time
        self._thread: threading.Thread | None = None
        super().__init__(**options)

    def setup(self) -> None:
        """Load the model; make the publisher, the subscriptions and the action."""
        config, name = self.config, self.output_name
        self._load()
        self.own(self._unload)
        self._load_views()
        self.reconfigure()
        self._waiting: queue.Queue[str] = queue.Queue(config.waiting)
        self._answers = self.publisher(AnswerMessage, name(ANSWER), qos.result())
        self._model_scenes = self.publisher(SceneMessage, name(MODEL_SCENE), qos.result())
        self.listen(SceneMessage, name(SCENE), self._scenes.take, qos.result(), ReentrantCallbackGroup(), raw=True)
        self.listen(String, name(QUESTION), self._heard, qos.result())
        self._goals = OneGoalServer(self, Ask, name("ask"), self._answer_goal, config.result_timeout)
        super().setup()
        self._frames = AskedFrames(config, self.observe, self.transforms, self._scenes)

    def start(self) -> None:
        """Take frames, questions and goals."""
        super().start()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._answer_questions, name=f"{self.get_name()} questions", daemon=True)
        self._thread.start()
        self._goals.start()

    def stop(self) -> None:
        """Abort the goal in work and the question in work, and forget those that wait."""
        self._stopping.set()
        if hasattr(self, "_goals"):
            self._goals.stop()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSING)
        super().stop()

    def abort_goals(self) -> bool:
        """Abort the goal in work."""
        return hasattr(self, "_goals") and self._goals.stop()

    def teardown(self) -> None:
        """Forget what was seen."""
        self._scenes.clear()
        self._frames = None
        super().teardown()

    def reconfigure(self) -> None:
        """Take a new policy over."""
        self._asker = SteadyAsker(self._opened, self.config.ask, self.config.scene.relations, self._imagine)

    # The model -----------------------------------------------------------------------------------

    def _load(self) -> None:
        started = time.perf_counter()
        self._trouble = None
        try:
            self._opened = self._open_model(self.config.model)
        except ModelMemoryError as error:
            self._opened, self._trouble = OpenModel(), error
            self.get_logger().error(f"geometry answers alone: {error}")
            return
        if self._opened.backend is not None:
            took = time.perf_counter() - started
            self.get_logger().info(
                f"the model {self._opened.backend.name or 'of the server'} is ready after {took:.1f} s"
            )

    def _load_views(self) -> None:
        """Load the model that draws imagined views, if there is one; with too little memory depth does."""
        self._imagine = from_depth
        if self._opened.backend is None:
            return
        try:
            self._imagine = open_views(self.config.imagination)
        except DrawMemoryError as error:
            self.get_logger().error(f"imagined views come from depth alone: {error}")

    def _unload(self) -> None:
        self._imagine = from_depth
        backend, self._opened = self._opened.backend, OpenModel()
        if backend is None:
            return
        until = time.monotonic() + _CLOSING
        with self._alone(lambda: time.monotonic() > until) as is_mine:
            if is_mine:
                backend.close()
            else:
                self.get_logger().error(f"the model still works after {_CLOSING:g} s; its memory is not given back")

    @contextmanager
    def _alone(self, is_canceled: Callable[[], bool]) -> Iterator[bool]:
        """Have the model for oneself; the context's value says whether, or whether the wait was cancelled before."""
        while not self._model_lock.acquire(timeout=0.02):
            if is_canceled():
                yield False
                return
        try:
            yield True
        finally:
            self._model_lock.release()

    def _ask(
        self,
        question: Question,
        looks: list[Look],
        on_text: Callable[[int, str], None] | None,
        is_canceled: Callable[[], bool],
    ) -> Outcome:
        """Ask the model, or geometry; failures of the model are logged and shown in diagnostics.

        Raises:
            QuestionError, ImageError: as the question or its images are not what they should be.
        """
        started = time.perf_counter()
        with self._alone(is_canceled) as is_mine:
            if not is_mine:
                return Outcome(None)
            [outcome] = self._asker.ask_all([question], looks, on_text, is_canceled)
        self.tally.time("compute", time.perf_counter() - started)
        self.tally.add("questions")
        if self._opened.backend is None:
            return replace(outcome, error=self._trouble)
        self._trouble = outcome.error
        if outcome.error is not None:
            self.tally.add("questions.without_model")
            self.get_logger().error(f"geometry answers alone: {outcome.error}", throttle_duration_sec=5.0)
        return outcome

    def reports(self) -> list[Report]:
        """Report on input, questions, TF and the model."""
        if self._trouble is not None:
            return [*super().reports(), Report("model", "error", f"geometry answers alone: {self._trouble}")]
        backend = self._opened.backend
        said = (
            "geometry answers alone, as the settings say" if backend is None else f"{backend.name or 'server'} answers"
        )
        return [*super().reports(), Report("model", "ok", said)]

    def work_report(self, counts: Mapping[str, int], new: Mapping[str, int]) -> Report:
        """Report on questions: how many, how long they took, what was left out."""
        names = ("questions", "questions.without_model", "questions.left_out", "proposals.failed")
        values = {name.replace(".", " "): counts.get(name, 0) for name in names} | self.times("compute")
        if new.get("questions.left_out", 0):
            return Report("work", "warning", f"{new['questions.left_out']} questions left out: too many wait", values)
        return Report("work", "ok", "questions are answered", values)

    # Frames and questions of topics --------------------------------------------------------------

    def arrived(self, frame: CameraFrame) -> None:
        """Keep the frame until its scene comes."""
        if self._frames is not None:
            self._frames.add(frame)

    def _newest(self) -> Look | None:
        return None if self._frames is None else self._frames.newest()

    def _heard(self, message: String) -> None:
        if not self.is_active:
            return
        try:
            self._waiting.put_nowait(str(message.data))
        except queue.Full:
            self.tally.add("questions.left_out")
            self.get_logger().warning(f"{self.config.waiting} questions wait already; this one is left out")

    def _answer_questions(self) -> None:
        proposer = Proposer(self._opened.backend, self.config.propose_rate)
        try:
            while not self._stopping.is_set():
                try:
                    words = self._waiting.get(timeout=0.05)
                except queue.Empty:
                    self._propose(proposer)
                    continue
                answer = self._answer_words(words)
                if not self._stopping.is_set():
                    self._answers.publish(answer_message(self._factory, answer))
        except Exception as error:  # noqa: BLE001 - the node goes to error processing with it
            self.fail(error)

    def _propose(self, proposer: Proposer) -> None:
        """Publish the newest scene with what the model adds to it, where it is time for that."""
        if not proposer.is_due(time.monotonic_ns()):
            return
        try:
            look = self._newest()
            if look is None:
                return
            with self._alone(self._stopping.is_set) as is_mine:
                scene = proposer.scene(look, self._stopping.is_set) if is_mine else None
        except (InputError, ModelError) as error:
            self.tally.add("proposals.failed")
            self.get_logger().error(f"the model adds nothing to the scene: {error}", throttle_duration_sec=5.0)
            return
        if scene is not None and not self._stopping.is_set():
            self._model_scenes.publish(scene_message(self._factory, scene))

    def _answer_words(self, words: str) -> Answer:
        """Return the answer to a question of the topic; where there is none, its text says why."""
        try:
            question = question_from_words(words)
            look = self._newest()
            if look is None:
                return Answer(question.text, f"No answer: no frame yet. {self.waiting_for()}".strip())
            outcome = self._ask(question, [look], None, self._stopping.is_set)
        except InputError as error:
            return Answer(words[:80], f"No answer: {error}")
        if outcome.answer is None:
            return Answer(question.text, f"No answer: {outcome.error}")
        if outcome.error is None:
            return outcome.answer
        return replace(outcome.answer, text=f"{outcome.answer.text} (The model did not answer: {outcome.error})")

    # Goals ---------------------------------------------------------------------------------------

    def _answer_goal(self, goal: Goal, result: Ask.Result) -> tuple[int, str]:
        """Answer a goal; return error code and message."""
        started, codes, request = time.perf_counter(), Ask.Goal, goal.request
        try:
            if request.task and request.task not in TASKS:
                return codes.INVALID_TASK, f"there is no task {request.task!r}; tasks are: {', '.join(TASKS)}"
            question = _question(request)
            goal.feedback(Ask.Feedback(stage="scene", progress=0.0))
            looks = self._looks(goal)
            if isinstance(looks, tuple):
                return looks
            return self._ask_goal(goal, question, looks, result)
        except QuestionError as error:
            return codes.INVALID_QUESTION, str(error)
        except InputError as error:
            if request.use_latest_frame:
                return codes.NO_FRAME, f"the newest frame cannot be used: {error}"
            return codes.INVALID_IMAGE, str(error)
        finally:
            result.duration = headers.duration_message(self._factory, time.perf_counter() - started)

    def _looks(self, goal: Goal) -> list[Look] | tuple[int, str]:
        """Return the frames of a goal, or why there are none."""
        request = goal.request
        if request.use_latest_frame:
            look = goal.do(self._newest)
            if look is None:
                return Ask.Goal.NO_FRAME, f"no frame yet; is the camera running? {self.waiting_for()}".strip()
            return [look]
        if not request.images:
            return Ask.Goal.NO_FRAME, "the goal holds no images; give some, or set use_latest_frame"
        frames = self._frames
        assert frames is not None  # a goal in work means an active node
        return goal.do(lambda: frames.of_goal(request.images, request.camera_infos, request.depths))

    def _ask_goal(self, goal: Goal, question: Question, looks: list[Look], result: Ask.Result) -> tuple[int, str]:
        stage = "imagine" if question.max_imagined_views else "encode"
        goal.feedback(Ask.Feedback(stage=stage, progress=0.1))

        ended = threading.Event()  # a goal that has ended no longer says that it was cancelled

        def is_canceled() -> bool:
            return ended.is_set() or goal.is_cancelled or goal.is_stopped or self._stopping.is_set()

        def on_text(index: int, text: str) -> None:
            del index
            if not is_canceled():
                goal.feedback(Ask.Feedback(text=text, stage="decode", progress=0.5))

        try:
            outcome = goal.do(lambda: self._ask(question, looks, on_text, is_canceled))
            goal.check()  # else part of an answer would pass for a whole one
        finally:
            ended.set()
        goal.feedback(Ask.Feedback(stage="check", progress=1.0))
        if outcome.answer is not None:
            result.answer = answer_message(self._factory, outcome.answer)
            self._answers.publish(result.answer)
        if outcome.error is None:
            return Ask.Goal.NONE, ""
        is_memory = isinstance(outcome.error, ModelMemoryError)
        said = "; the answer is geometry's" if outcome.answer is not None else ""
        return (Ask.Goal.OUT_OF_MEMORY if is_memory else Ask.Goal.MODEL_UNAVAILABLE), f"{outcome.error}{said}"


def _question(request: Ask.Goal) -> Question:
    return Question(
        request.question,
        request.task,
        tuple(request.choices),
        tuple(request.objects),
        int(request.max_imagined_views),
    )
