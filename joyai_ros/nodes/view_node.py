"""The view node: views of the scene from elsewhere, on request and along the stream, and which views are worth taking."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from joyai_ros.action import Imagine
from joyai_ros.engines.errors import EngineError, EngineFileError
from joyai_ros.errors import CameraError, DepthError, InputError, MotionError, PoseError, TransformError
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import View
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.depth_view import ViewConfig as ImaginerConfig
from joyai_ros.imagination.mmdit.errors import DrawError, DrawMemoryError
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.imagination.rank_views import SeenSpace
from joyai_ros.imagination.requests import RequestError, towards
from joyai_ros.messages import headers
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.compressed import jpeg_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.images import color_message, mono_message
from joyai_ros.messages.motion import Pivot, motion_from_message
from joyai_ros.messages.views import VIEW_FRAME, view_message, view_transform_message
from joyai_ros.msg import Scene as SceneMessage
from joyai_ros.msg import View as ViewMessage
from joyai_ros.nodes import qos
from joyai_ros.nodes.camera_stream import CameraFrame
from joyai_ros.nodes.config import ViewNodeConfig
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.goals import Goal, OneGoalServer
from joyai_ros.nodes.managed import publish_all
from joyai_ros.nodes.observing import Observed
from joyai_ros.nodes.painting import Order, Painting, RefusedError
from joyai_ros.nodes.ranking import rank
from joyai_ros.nodes.stream_node import FrameNode
from joyai_ros.nodes.viewpoints import LatestScene, pivot_of, target_pose, up_of
from joyai_ros.perception.due import Due
from joyai_ros.perception.outputs import SCENE, VIEW_IMAGE, VIEW_INFO, VIEW_VALIDITY
from joyai_ros.srv import RankViews

VIEWS = "views"
_PREVIEW = 4  # a preview from depth has this many times fewer pixels a side


@dataclass(frozen=True)
class _Wanted:
    """One view that a goal asks for: where its camera is, what motion about what led there, and how a model draws it
    (None: from depth).
    """

    pose: Mat4
    motion: CameraMotion | None = None
    pivot: Pivot | None = None
    how: Drawing | None = None


class ViewNode(FrameNode[ViewNodeConfig]):
    """Imagines views of the newest frame, with what earlier frames saw."""

    NAME = "joyai_view"
    CONFIG = ViewNodeConfig
    LIVE = ("view.", "rank.", "view_frame_rate", "max_views", "stale_after", "recover_after")

    def __init__(
        self, *, open_painter: Callable[[ImaginationConfig], OpenPainter] = open_painter, **options: Any
    ) -> None:
        self._factory = RosFactory()
        self._painting = Painting(open_painter)
        self._lock = threading.Lock()
        self._newest: CameraFrame | None = None
        self._scenes = LatestScene()
        super().__init__(**options)

    def setup(self) -> None:
        """Load the model, if there is one; make publishers, the camera stream, the action and the service."""
        config, name = self.config, self.output_name
        self._load()
        memory = config.memory
        self._imaginer = DepthImaginer(ImaginerConfig(memory.frames, memory.step_m, memory.step_deg))
        self._seen = SeenSpace(config.rank.frames)
        self._image = self.publisher(Image, name(VIEW_IMAGE), qos.result())
        self._info = self.publisher(CameraInfo, name(VIEW_INFO), qos.result())
        self._validity = self.publisher(Image, name(VIEW_VALIDITY), qos.result())
        self._views = self.publisher(ViewMessage, name(VIEWS), qos.result())
        self._tf = self.publisher(TFMessage, "/tf", qos.transforms())
        self.listen(SceneMessage, name(SCENE), self._scenes.take, qos.result(), ReentrantCallbackGroup(), raw=True)
        self._goals = OneGoalServer(self, Imagine, name("imagine"), self._imagine_goal, config.result_timeout)
        self.serve(RankViews, name("rank_views"), self._rank_views)
        self.reconfigure()
        super().setup()

    def start(self) -> None:
        """Take frames and goals."""
        super().start()
        self._goals.start()

    def stop(self) -> None:
        """Abort the goal in work and end the thread."""
        if hasattr(self, "_goals"):
            self._goals.stop()
        super().stop()

    def abort_goals(self) -> bool:
        """Abort the goal in work."""
        return hasattr(self, "_goals") and self._goals.stop()

    def teardown(self) -> None:
        """Forget what was seen."""
        self._newest = None
        self._scenes.clear()
        super().teardown()

    def reconfigure(self) -> None:
        """Take new rates over."""
        self.limit = Due(self.config.view_frame_rate)
        self._due = Due(self.config.view.rate)

    def reports(self) -> list[Report]:
        """Report on input, work, TF and the model."""
        return [*super().reports(), *self._painting.reports()]

    def _load(self) -> None:
        """Load the model of the settings; with too little memory the node goes on with depth."""
        started = time.perf_counter()
        name = self._painting.load(self.config.imagination)
        self.own(self._unload)
        if name:
            self.get_logger().info(f"the model {name} is ready after {time.perf_counter() - started:.1f} s")
        elif self._painting.trouble:
            self.get_logger().error(f"views come from depth alone: {self._painting.trouble}")

    def _unload(self) -> None:
        if not self._painting.close():
            self.get_logger().error("the model still works; its memory is not given back")

    # Along the stream ----------------------------------------------------------------------------

    def arrived(self, frame: CameraFrame) -> None:
        """Keep the frame for goals, and for the thread."""
        self._newest = frame
        super().arrived(frame)

    def begin_sequence(self) -> None:
        """Forget what was seen."""
        with self._lock:
            self._seen.clear()

    def process(self, frame: CameraFrame, observed: Observed) -> None:
        """Remember a frame, and imagine the view of the settings where it is due."""
        observation = observed.observation
        with self._lock:
            self._imaginer.remember(observation)
            self._seen.add(observation)
        config = self.config.view
        if observation.depth is None or not self._due.is_due(frame.stamp):
            return
        motion = CameraMotion(config.yaw_deg, config.pitch_deg, config.zoom)
        started = time.perf_counter()
        with self._lock:
            view = self._imaginer.imagine(observation, motion, up=up_of(observed))
        seconds = time.perf_counter() - started
        self.tally.time("compute", seconds)
        self._publish(view, lambda: view_message(self._factory, view, seconds=seconds))
        self.note_latency(frame.stamp)

    def _publish(self, view: View, message: Callable[[], Any]) -> None:
        """Publish a view; a camera on topics and in TF is only what is known to look from where it says."""
        factory = self._factory
        publish_all([(self._views, message)])
        if not view.verified:
            return
        header = headers.header(factory, view.stamp, VIEW_FRAME)
        self._tf.publish(TFMessage(transforms=[view_transform_message(factory, view)]))
        publish_all(
            [
                (self._info, lambda: info_message(factory, header, view.camera)),
                (self._image, lambda: color_message(factory, header, view.image)),
                (self._validity, lambda: mono_message(factory, header, view.validity)),
            ]
        )

    # On request ----------------------------------------------------------------------------------

    def _imagine_goal(self, goal: Goal, result: Imagine.Result) -> tuple[int, str]:
        """Imagine every view of a goal; return error code and message."""
        started = time.perf_counter()
        codes, request = Imagine.Goal, goal.request
        try:
            how = self._painting.drawing(request)
            self._check(request)
            frame = self._newest
            if frame is None:
                return codes.NO_FRAME, f"no frame yet; is the camera running? {self.waiting_for()}".strip()
            observed = goal.do(lambda: self._observer.observe(frame))
            wanted = goal.do(lambda: self._wanted(request, observed, how))
            for number, item in enumerate(wanted):
                result.views.append(self._imagine_one(goal, observed, item, number, len(wanted)))
        except RefusedError as error:
            return error.code, str(error)
        except DrawMemoryError as error:
            self.get_logger().error(str(error))
            return codes.OUT_OF_MEMORY, str(error)
        except (DrawError, EngineError, EngineFileError) as error:
            self.get_logger().error(str(error))
            return codes.MODEL_UNAVAILABLE, str(error)
        except (MotionError, RequestError) as error:
            return codes.INVALID_MOTION, str(error)
        except (TransformError, PoseError) as error:
            return codes.TRANSFORM_UNAVAILABLE, str(error)
        except DepthError as error:
            return codes.NO_DEPTH, str(error)
        except InputError as error:
            return codes.NO_FRAME, f"the newest frame cannot be used: {error}"
        finally:
            result.duration = headers.duration_message(self._factory, time.perf_counter() - started)
        return codes.NONE, ""

    def _check(self, request: Imagine.Goal) -> None:
        """Refuse what needs no frame to be refused."""
        count = len(request.motions) + len(request.target_poses)
        if not 1 <= count <= self.config.max_views:
            raise MotionError(f"a goal asks for {count} views; ask for 1 to {self.config.max_views}")

    def _wanted(self, request: Imagine.Goal, observed: Observed, how: Drawing | None) -> list[_Wanted]:
        """Return all views that a goal asks for; one that is wrong refuses the goal before anything is drawn.

        Of both methods each motion gives two views, the one from depth first.
        """
        observation, up = observed.observation, up_of(observed)
        if observation.depth is None and request.method != "model":
            raise DepthError("this camera has no depth; a view needs a depth image, or method model")
        methods = {"model": [how], "both": [None, how]}.get(request.method, [None])
        wanted = []
        for message in request.motions:
            motion, pivot = motion_from_message(message)
            center: Vec3 = pivot_of(pivot, observation, self.transforms, self._scenes)
            turned = replace(pivot, point=center, frame_id="", stamp=0)
            wanted += [_Wanted(orbit(motion, center, up), motion, turned, method) for method in methods]
        for message in request.target_poses:
            pose = target_pose(message, observation, self.transforms)
            wanted += [self._towards(pose, observed, method) for method in methods]
        return wanted

    def _towards(self, pose: Mat4, observed: Observed, how: Drawing | None) -> _Wanted:
        """Return the view from a pose; a model is told the motion that comes nearest to it."""
        if how is None:
            return _Wanted(pose)
        observation = observed.observation
        center = default_pivot(observation.camera, observation.depth)
        found = towards(pose, center, up_of(observed))
        self.get_logger().info(
            f"the model is told a motion that misses the target pose by {math.degrees(found.turned):.1f} degrees and "
            f"{found.moved:.3f} m"
        )
        return _Wanted(pose, found.motion, Pivot(center), how)

    def _imagine_one(self, goal: Goal, observed: Observed, item: _Wanted, number: int, count: int) -> Any:
        """Return the View message of one view, and publish it."""
        started = time.perf_counter()
        view = self._draw(goal, observed, item, number, count)
        message = view_message(self._factory, view, pivot=item.pivot, seconds=time.perf_counter() - started)
        goal.do(lambda: self._publish(view, lambda: message))
        return message

    def _draw(self, goal: Goal, observed: Observed, item: _Wanted, number: int, count: int) -> View:
        """Return one view as the goal wants it drawn, with feedback on the way."""
        if item.how is None or item.motion is None or item.pivot is None or item.pivot.point is None:
            return self._from_depth(goal, observed, item, number, count)
        order = Order(
            view=number,
            views=count,
            observation=observed.observation,
            motion=item.motion,
            pivot=item.pivot.point,
            up=up_of(observed),
            pose=item.pose,
            warp=lambda pose, camera: self._locked_pose(observed, pose, camera),
            how=item.how,
        )
        return self._painting.draw(goal, order).view

    def _from_depth(self, goal: Goal, observed: Observed, item: _Wanted, number: int, count: int) -> View:
        """Return one view from depth, after feedback that says it is in work."""
        observation = observed.observation
        feedback = Imagine.Feedback(view=number, views=count, step=0, steps=1)
        if goal.request.preview:
            camera = observation.camera
            small = camera.resized(max(1, camera.width // _PREVIEW), max(1, camera.height // _PREVIEW))
            quick = goal.do(lambda: self._locked_pose(observed, item.pose, small))
            header = headers.header(self._factory, observation.stamp, VIEW_FRAME)
            feedback.preview = jpeg_message(self._factory, header, quick.image, 75)
        goal.feedback(feedback)
        view = goal.do(lambda: self._locked(observed, item))
        goal.feedback(Imagine.Feedback(view=number, views=count, step=1, steps=1))
        return view

    def _locked(self, observed: Observed, item: _Wanted) -> View:
        if item.motion is None or item.pivot is None:
            return self._locked_pose(observed, item.pose, observed.observation.camera)
        with self._lock:
            return self._imaginer.imagine(observed.observation, item.motion, item.pivot.point, up_of(observed))

    def _locked_pose(self, observed: Observed, pose: Mat4, camera: Camera) -> View:
        with self._lock:  # a goal's pose is a command, no measurement
            return self._imaginer.imagine_pose(observed.observation, pose, camera, is_exact=True)

    def _rank_views(self, request: RankViews.Request, response: RankViews.Response) -> RankViews.Response:
        """Rank candidate motions by what they would reveal."""
        codes = RankViews.Request
        frame = self._newest
        if not self.is_active:
            response.error_code, response.error_msg = (
                codes.NODE_INACTIVE,
                f"{self.get_name()} is not active; activate it",
            )
            return response
        if frame is None:
            response.error_code, response.error_msg = codes.NO_FRAME, f"no frame yet. {self.waiting_for()}".strip()
            return response
        try:
            observed = self._observer.observe(frame)
            with self._lock:
                frames = self._seen.with_newest(observed.observation)
            rank(request, response, observed, frames, self.config.rank, self.transforms, self._scenes)
        except DepthError as error:
            response.error_code, response.error_msg = codes.NO_DEPTH, str(error)
        except TransformError as error:
            response.error_code, response.error_msg = codes.TRANSFORM_UNAVAILABLE, str(error)
        except MotionError as error:
            response.error_code, response.error_msg = codes.INVALID_TARGET, str(error)
        except (CameraError, InputError) as error:
            response.error_code, response.error_msg = codes.NO_FRAME, f"the newest frame cannot be used: {error}"
        return response
