import numpy as np
import pytest

from joyai_ros.errors import MotionError
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.messages.compressed import decode_compressed_color
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.messages.views import VIEW_FRAME
from joyai_ros.perception.config import OutputConfig, PerceptionConfig, ViewConfig
from joyai_ros.perception.outputs import TYPES, output_messages, topic_name
from joyai_ros.perception.pipeline import Perception
from joyai_ros.scene.observation import Detection, Observation
from tests.bags import synthetic
from tests.perception.fake import FakeEngine


def observation(index=0, stamp=None, depth=True):
    return Observation(
        color=synthetic.color_image(index),
        camera=synthetic.CAMERA,
        depth=synthetic.depth_image(index) if depth else None,
        stamp=synthetic.stamp_of(index) if stamp is None else stamp,
        frame_id=synthetic.FRAME,
        world_from_camera=synthetic.world_from_camera(index),
        world_frame="odom",
        detections=(Detection("box_0", "box", synthetic.BOX),),
    )


def views(config, stamps):
    perception = Perception(PerceptionConfig(view=config), FakeEngine())
    return [perception.process(observation(stamp=stamp)).view is not None for stamp in stamps]


def test_views_come_at_their_rate():
    stamps = [synthetic.stamp_of(i) for i in range(61)]
    made = views(ViewConfig(rate=2.0), stamps)
    assert [i for i, due in enumerate(made) if due] == [0, 15, 30, 45, 60]
    assert sum(views(ViewConfig(rate=0.0), stamps)) == 0
    assert sum(views(ViewConfig(rate=30.0), stamps)) == pytest.approx(61, abs=2)


def test_views_of_a_slow_camera_come_with_every_frame():
    assert all(views(ViewConfig(rate=2.0), [i * 10**9 for i in range(5)]))


def test_a_clock_that_starts_again_is_followed():
    assert views(ViewConfig(rate=2.0), [5 * 10**9, 5 * 10**9 + 1, 10**9, 10**9 + 1]) == [True, False, True, False]


def test_the_view_is_imagined_where_the_settings_say():
    config = PerceptionConfig(view=ViewConfig(yaw_deg=10.0, pitch_deg=5.0, zoom=1.5))
    view = Perception(config, FakeEngine()).process(observation()).view
    assert (view.motion.yaw_deg, view.motion.pitch_deg, view.motion.zoom) == (10.0, 5.0, 1.5)
    assert view.seen_fraction > 0.3


def test_a_view_that_cannot_be_is_no_error_of_the_frame():
    class Unable(DepthImaginer):
        def imagine(self, *_, **__):
            raise MotionError("past straight down")

    perceived = Perception(PerceptionConfig(), FakeEngine(), Unable()).process(observation())
    assert perceived.view is None
    assert perceived.view_error == "past straight down"
    assert perceived.scene.objects


def test_a_frame_without_depth_has_a_scene_and_no_view():
    perceived = Perception(PerceptionConfig(), FakeEngine()).process(observation(depth=False))
    assert (perceived.view, perceived.view_error) == (None, "")


@pytest.mark.parametrize(
    ("namespace", "topic"),
    [("joyai", "/joyai/scene"), ("", "/scene"), ("/robot1/eyes/", "/robot1/eyes/scene")],
)
def test_topics_lie_in_their_namespace(namespace, topic):
    assert topic_name("scene", namespace) == topic


@pytest.fixture(params=["with a view", "without"])
def outputs(request, factory):
    rate = 2.0 if request.param == "with a view" else 0.0
    config = PerceptionConfig(view=ViewConfig(rate=rate))
    perceived = Perception(config, FakeEngine()).process(observation())
    return perceived, {o.topic: o for o in output_messages(factory, perceived, config.output)}


def test_every_frame_is_published_completely(outputs):
    perceived, published = outputs
    names = [name for name in TYPES if perceived.view is not None or not name.startswith("view/")]
    expected = {f"/joyai/{name}": TYPES[name] for name in names} | (
        {} if perceived.view is None else {"/tf": "tf2_msgs/msg/TFMessage"}
    )
    assert {topic: o.msgtype for topic, o in published.items()} == expected


def test_stamps_and_frames_travel_from_input_to_output(outputs):
    perceived, published = outputs
    for topic in ("scene", "relations", "objects", "debug_image/compressed"):
        message = published[f"/joyai/{topic}"].message
        assert stamp_ns(message) == perceived.observation.stamp
        assert message.header.frame_id == synthetic.FRAME
    assert scene_from_message(published["/joyai/scene"].message).world_frame == "odom"
    if perceived.view is not None:
        for topic in ("view/image", "view/camera_info", "view/validity"):
            message = published[f"/joyai/{topic}"].message
            assert (stamp_ns(message), message.header.frame_id) == (perceived.observation.stamp, VIEW_FRAME)
        (moved,) = published["/tf"].message.transforms
        assert (moved.header.frame_id, moved.child_frame_id) == (synthetic.FRAME, VIEW_FRAME)


def test_the_debug_image_shows_the_input(outputs):
    perceived, published = outputs
    picture = decode_compressed_color(published["/joyai/debug_image/compressed"].message)
    height, width = perceived.observation.color.shape[:2]
    assert picture.shape[0] == height
    assert picture.shape[1] > width
    difference = np.abs(picture[:, :width].astype(int) - perceived.observation.color).mean()
    assert difference < 25


def test_masks_can_stay_out(factory):
    perceived = Perception(PerceptionConfig(view=ViewConfig(rate=0.0)), FakeEngine()).process(observation())
    published = output_messages(factory, perceived, OutputConfig(namespace="", masks=False))
    scene = next(o.message for o in published if o.topic == "/scene")
    assert not len(scene.objects[0].mask.data)
