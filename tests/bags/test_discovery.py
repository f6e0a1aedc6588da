import pytest

from joyai_ros.bags.config import TopicConfig
from joyai_ros.bags.discovery import StreamTopics, find_stream
from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import BagError, ConfigError
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, mono_message
from tests.bags import synthetic

HEAD = header(synthetic.FACTORY, synthetic.START, synthetic.FRAME)


def found(path, config=None, exclude=()):
    with BagReader(path) as reader:
        return find_stream(reader, config, exclude)


def renamed(path, names, **options):
    """Write one frame with other topic names; a name may stand for several, or for none."""
    with BagWriter(path) as writer:
        for topic, msgtype, message, time in synthetic.recording(1, **options):
            for name in names.get(topic, [topic]):
                writer.write(name, msgtype, message, time)
    return path


@pytest.mark.parametrize("color", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8", "jpeg", "png"])
@pytest.mark.parametrize("depth", ["16UC1", "32FC1", "mono16", "compressed 16UC1", "compressed 32FC1"])
def test_every_encoding_is_found_beside_its_camera_info(tmp_path, color, depth):
    topics = found(synthetic.write(tmp_path / "bag", frames=1, color=color, depth=depth))
    assert topics == StreamTopics(
        color=synthetic.COLOR + ("/compressed" if color in ("jpeg", "png") else ""),
        depth=synthetic.DEPTH + ("/compressedDepth" if depth.startswith("compressed") else ""),
        color_info=synthetic.COLOR_INFO,
        depth_info=synthetic.DEPTH_INFO,
        detections_2d=synthetic.DETECTIONS,
        frame_id=synthetic.FRAME,
    )


def test_registered_depth_is_taken_before_the_sensor_s_own(tmp_path):
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for topic, msgtype, message, time in synthetic.recording(1):
            writer.write(topic, msgtype, message, time)
        for topic, msgtype, message, time in synthetic.recording(1, depth_frame=synthetic.DEPTH_FRAME):
            if topic.startswith("/camera/depth"):
                writer.write(topic.replace("/camera/depth", "/camera/color/own_depth"), msgtype, message, time)
    assert found(path).depth == synthetic.DEPTH


def test_raw_is_taken_before_compressed(tmp_path):
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for color in ("jpeg", "rgb8"):
            for topic, msgtype, message, time in synthetic.recording(1, color=color):
                writer.write(topic, msgtype, message, time)
    assert found(path).color == synthetic.COLOR


def test_drawings_labels_and_infrared_are_not_the_camera(tmp_path):
    path = tmp_path / "bag"
    picture = synthetic.color_image()
    with BagWriter(path) as writer:
        for name in ("/a/debug_image", "/camera/infra1/image_rect_raw", "/ground_truth/instances"):
            writer.write(name, synthetic.IMAGE, mono_message(synthetic.FACTORY, HEAD, picture[..., 0].copy()), 5)
        writer.write("/a/overlay", synthetic.IMAGE, color_message(synthetic.FACTORY, HEAD, picture), 5)
        for topic, msgtype, message, time in synthetic.recording(1):
            writer.write(topic, msgtype, message, time)
    assert (found(path).color, found(path).depth) == (synthetic.COLOR, synthetic.DEPTH)


def test_what_this_package_wrote_is_not_its_input(tmp_path):
    names = {synthetic.COLOR: [synthetic.COLOR, "/joyai/view/image"], synthetic.DETECTIONS: ["/joyai/objects"]}
    path = renamed(tmp_path / "bag", names)
    topics = found(path, exclude={"/joyai/view/image", "/joyai/objects"})
    assert (topics.color, topics.detections_2d) == (synthetic.COLOR, None)


def test_camera_info_of_the_same_frame_stands_in(tmp_path):
    path = renamed(tmp_path / "bag", {synthetic.COLOR_INFO: ["/somewhere/else/info"], synthetic.DEPTH_INFO: []})
    topics = found(path)
    assert topics.color_info == "/somewhere/else/info"
    assert topics.depth_info == "/somewhere/else/info"  # the depth image is in that frame too


def test_rectified_topics_are_known_by_name(tmp_path):
    path = renamed(tmp_path / "bag", {synthetic.COLOR: ["/camera/color/image_rect"]})
    assert found(path).rectified


def test_names_can_be_given(tmp_path):
    path = renamed(tmp_path / "bag", {synthetic.COLOR: [synthetic.COLOR, "/other/debug_view"]})
    topics = found(
        path, TopicConfig(color="/other/debug_view", color_info=synthetic.COLOR_INFO, depth="camera/depth/image_raw")
    )
    assert (topics.color, topics.depth) == ("/other/debug_view", synthetic.DEPTH)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            TopicConfig(color="/camera/colour/image_raw"),
            "topics.color is '/camera/colour/image_raw', .* did you mean '/camera/color/image_raw'",
        ),
        (
            TopicConfig(depth="/tf"),
            "topics.depth is '/tf', a tf2_msgs/msg/TFMessage; it must be a sensor_msgs/msg/Image",
        ),
        (TopicConfig(color_info="/detections"), "topics.color_info is '/detections'"),
        (TopicConfig(detections_2d="/nothing"), "topics.detections_2d is '/nothing'"),
    ],
)
def test_names_that_do_not_fit(tmp_path, config, words):
    path = synthetic.write(tmp_path / "bag", frames=1)
    with pytest.raises(ConfigError, match=words):
        found(path, config)


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ((synthetic.COLOR,), r"holds no colour image, so no RGB-D stream \(it has /camera/depth/image_raw \(16UC1\)\)"),
        ((synthetic.DEPTH,), r"holds no depth image"),
        ((synthetic.COLOR, synthetic.DEPTH), "it has no image topics"),
        (
            (synthetic.COLOR_INFO, synthetic.DEPTH_INFO),
            "no camera_info for /camera/color/image_raw; record",
        ),
    ],
)
def test_bags_without_an_rgbd_stream(tmp_path, without, words):
    path = renamed(tmp_path / "bag", {name: [] for name in without})
    with pytest.raises(BagError, match=words):
        found(path)


def test_an_unknown_colour_encoding_is_still_the_camera(tmp_path):
    """It is refused frame by frame with its name, not as a bag without a camera."""

    def edit(topic, index, message):
        if topic == synthetic.COLOR:
            message.encoding = "yuv422_yuy2"
        return message

    assert found(synthetic.write(tmp_path / "bag", frames=1, edit=edit)).color == synthetic.COLOR


def test_boxes_of_another_camera_are_not_taken(tmp_path):
    def elsewhere(topic, index, message):
        if topic == synthetic.DETECTIONS:
            message.header = header(synthetic.FACTORY, synthetic.START, "rear_camera")
        return message

    path = synthetic.write(tmp_path / "bag", frames=1, edit=elsewhere)
    assert found(path).detections_2d is None
    assert found(path, TopicConfig(detections_2d=synthetic.DETECTIONS)).detections_2d == synthetic.DETECTIONS
