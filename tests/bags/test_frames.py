"""Frames of a bag: what belongs together comes together, and what does not is counted."""

import math

import numpy as np
import pytest

from joyai_ros.bags.config import BagConfig, DepthConfig, SyncConfig, TopicConfig, TransformConfig
from joyai_ros.bags.discovery import find_stream
from joyai_ros.bags.frames import FrameReader
from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.writer import BagWriter
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.detections import detections_3d_message
from joyai_ros.messages.frames import observe
from joyai_ros.messages.headers import header, stamp_ns, time_message
from joyai_ros.scene.observation import Detection
from tests.bags import synthetic
from tests.bags.synthetic import COLOR, COLOR_INFO, DEPTH, DEPTH_INFO, DETECTIONS, START, stamp_of
from tests.messages.test_detections import BOX


def frames(path, config=None):
    """Return the frames of a bag, what was left out by reason, and the reader of the frames."""
    config = config or BagConfig()
    with BagReader(path) as reader:
        source = FrameReader(reader, find_stream(reader, config.topics), config)
        found = [frame.messages for raw in reader.messages() for frame in source.feed(raw)]
        found += [frame.messages for frame in source.finish()]
    return found, {r.reason: r for r in source.rejections.all()}, source


def shifted(message, seconds):
    """Return the message with its stamp moved."""
    return copied(message, stamp_ns(message) + round(seconds * 1e9))


def edited(topics, change):
    def edit(topic, index, message):
        return change(index, message) if topic in topics else message

    return edit


def test_a_plain_recording(tmp_path):
    found, rejected, source = frames(synthetic.write(tmp_path / "bag"))
    assert [f.stamp for f in found] == [stamp_of(i) for i in range(6)]
    assert not rejected
    assert (source.world.frame, source.world.up_frame) == ("odom", "odom")
    for index, frame in enumerate(found):
        observation, refused = observe(frame)
        assert not refused
        np.testing.assert_array_equal(observation.color, synthetic.color_image(index))
        np.testing.assert_allclose(observation.depth, synthetic.depth_image(index), atol=0.00051)
        np.testing.assert_allclose(observation.world_from_camera, synthetic.world_from_camera(index), atol=1e-9)
        assert (observation.frame_id, observation.world_frame) == (synthetic.FRAME, "odom")
        assert observation.detections == (Detection("box_0", "box", synthetic.BOX),)
        assert observation.camera == synthetic.CAMERA


def test_stamps_may_differ_by_the_slop(tmp_path):
    path = synthetic.write(tmp_path / "bag", edit=edited((DEPTH,), lambda i, m: shifted(m, 0.012)))
    assert len(frames(path)[0]) == 6
    found, rejected, _ = frames(path, BagConfig(sync=SyncConfig(slop=0.005)))
    assert not found
    assert rejected["colour image without a depth image within 5 ms"].count == 6


def test_depth_may_come_earlier_or_later(tmp_path):
    for name, seconds in (("early", -0.015), ("late", 0.015)):
        path = synthetic.write(tmp_path / name, edit=edited((DEPTH,), lambda i, m, s=seconds: shifted(m, s)))
        found, _, _ = frames(path)
        assert len(found) == 6
        np.testing.assert_allclose(observe(found[3])[0].depth, synthetic.depth_image(3), atol=0.00051)


def copied(message, stamp, **changes):
    """Return another message of the same content with another stamp."""
    fields = {name: value for name, value in vars(message).items() if name != "__msgtype__"}
    fields |= {"header": header(synthetic.FACTORY, stamp, message.header.frame_id), **changes}
    return synthetic.FACTORY(message.__msgtype__)(**fields)


def test_the_nearest_depth_image_wins(tmp_path):
    """Depth at three times the rate of colour, none at the very same stamp."""

    def thrice(index, message):
        wrong = {"data": np.zeros_like(message.data)}
        return [
            copied(message, stamp_of(index) - 10_000_000, **wrong),
            copied(message, stamp_of(index) + 2_000_000),
            copied(message, stamp_of(index) + 12_000_000, **wrong),
        ]

    found, _, _ = frames(synthetic.write(tmp_path / "bag", frames=4, edit=edited((DEPTH,), thrice)))
    assert len(found) == 4
    assert all(np.any(f.depth.data) for f in found)


def test_colour_without_depth_is_counted(tmp_path):
    path = synthetic.write(tmp_path / "bag", edit=edited((DEPTH,), lambda i, m: None if i in (1, 2) else m))
    found, rejected, _ = frames(path)
    assert [f.stamp for f in found] == [stamp_of(i) for i in (0, 3, 4, 5)]
    assert rejected["colour image without a depth image within 20 ms"].count == 2


@pytest.mark.parametrize(
    ("shift", "reason"), [(0, "the stamp of the one before"), (-1, "a stamp before the one before")]
)
@pytest.mark.parametrize("topic", [COLOR, DEPTH])
def test_stamps_that_do_not_rise_are_counted(tmp_path, topic, shift, reason):
    def again(index, message):
        return [message, copied(message, stamp_of(index + shift))] if index == 3 else message

    found, rejected, _ = frames(synthetic.write(tmp_path / "bag", edit=edited((topic,), again)))
    assert [f.stamp for f in found] == [stamp_of(i) for i in range(6)]
    assert rejected[f"message on {topic} with {reason}"].count == 1


def test_detections_come_with_their_own_image(tmp_path):
    path = synthetic.write(tmp_path / "bag", edit=edited((DETECTIONS,), lambda i, m: m if i % 2 else None))
    found, rejected, _ = frames(path)
    assert [f.detections_2d is not None for f in found] == [False, True] * 3
    assert observe(found[0])[0].detections is None
    assert not rejected


def test_detections_may_come_late(tmp_path):
    """A detector needs its time: its message is recorded long after the image that it belongs to."""
    path = tmp_path / "bag"
    delayed = sorted(
        (
            (topic, kind, message, time + (200_000_000 if topic == DETECTIONS else 0))
            for topic, kind, message, time in synthetic.recording(20)
        ),
        key=lambda entry: entry[3],
    )
    with BagWriter(path) as writer:
        for entry in delayed:
            writer.write(*entry)
    found, _, _ = frames(path)
    assert all(f.detections_2d is not None for f in found)
    hasty, _, _ = frames(path, BagConfig(sync=SyncConfig(patience=0.05)))
    assert len(hasty) == 20
    assert not any(f.detections_2d is not None for f in hasty[:15])


def test_transforms_missing_at_a_stamp_are_counted(tmp_path):
    path = synthetic.write(tmp_path / "bag", frames=40, edit=edited(("/tf",), lambda i, m: None if 10 <= i < 30 else m))
    found, rejected, _ = frames(path)
    assert [f.stamp for f in found] == [stamp_of(i) for i in (*range(10), *range(30, 40))]
    reason = rejected["frame without a transform at its stamp"]
    assert reason.count == 20
    assert "no transform odom <- base_link at" in reason.first


def test_short_gaps_of_transforms_are_interpolated(tmp_path):
    path = synthetic.write(tmp_path / "bag", frames=12, edit=edited(("/tf",), lambda i, m: m if i % 4 == 3 else None))
    found, rejected, _ = frames(path)
    poses = {f.stamp: f.world_from_camera for f in found}
    np.testing.assert_allclose(poses[stamp_of(5)], synthetic.world_from_camera(5), atol=1e-6)
    assert rejected["frame without a transform at its stamp"].count == 3  # before the first one


def test_a_bag_without_transforms_has_no_poses(tmp_path):
    found, rejected, source = frames(synthetic.write(tmp_path / "bag", tf=False, static=False))
    assert len(found) == 6
    assert found[0].world_from_camera is None
    assert (source.world.frame, rejected) == ("", {})
    assert observe(found[0])[0].up is None


def test_static_transforms_may_be_recorded_late(tmp_path):
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for entry in synthetic.recording(6, static=False):
            writer.write(*entry)
        writer.write(*synthetic.static_tf(), stamp_of(6))
    found, rejected, _ = frames(path)
    assert len(found) == 6
    assert not rejected
    np.testing.assert_allclose(found[0].world_from_camera, synthetic.world_from_camera(0), atol=1e-9)


def test_up_from_the_robot_s_base_where_there_is_no_world(tmp_path):
    found, _, source = frames(synthetic.write(tmp_path / "bag", tf=False))
    assert (source.world.frame, source.world.up_frame) == ("", "base_link")
    np.testing.assert_allclose(observe(found[0])[0].up, synthetic.world_from_camera()[2, :3], atol=1e-9)
    assert found[0].world_from_camera is None


def test_the_world_can_be_named(tmp_path):
    path = synthetic.write(tmp_path / "bag")
    found, _, _ = frames(path, BagConfig(transforms=TransformConfig(world_frame="base_link")))
    assert found[0].world_frame == "base_link"
    _, rejected, _ = frames(path, BagConfig(transforms=TransformConfig(world_frame="mars")))
    assert rejected["frame without a transform at its stamp"].count == 6


def test_3d_detections_come_into_the_camera_frame(tmp_path):
    def solid(index, message):
        head = header(synthetic.FACTORY, stamp_of(index), "base_link")
        return detections_3d_message(synthetic.FACTORY, head, [Detection("thing", "box", box3d=BOX)])

    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for topic, kind, message, time in synthetic.recording(4, edit=edited((DETECTIONS,), solid)):
            writer.write(topic, "vision_msgs/msg/Detection3DArray" if topic == DETECTIONS else kind, message, time)
    found, rejected, _ = frames(path)
    (detection,) = observe(found[2])[0].detections
    camera_from_base = rigid.inverse(rigid.inverse(synthetic.base_pose(0)) @ synthetic.world_from_camera(0))
    np.testing.assert_allclose(detection.box3d.center, rigid.apply(camera_from_base, BOX.center), atol=1e-9)
    assert not rejected


def test_3d_detections_of_an_unknown_frame_are_counted(tmp_path):
    def solid(index, message):
        return detections_3d_message(
            synthetic.FACTORY, header(synthetic.FACTORY, stamp_of(index), "moon"), [Detection("a", box3d=BOX)]
        )

    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for topic, kind, message, time in synthetic.recording(4, edit=edited((DETECTIONS,), solid)):
            writer.write(topic, "vision_msgs/msg/Detection3DArray" if topic == DETECTIONS else kind, message, time)
    found, rejected, _ = frames(path)
    assert len(found) == 4
    assert rejected["3D detections without a transform at their stamp"].count == 4


def test_a_camera_that_changes_is_followed(tmp_path):
    zoomed = Camera(80, 60, 99.0, 99.0, 39.5, 29.5)

    def zoom(index, message):
        return info_message(synthetic.FACTORY, message.header, zoomed) if index >= 3 else message

    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        order = {COLOR_INFO: 0, DEPTH_INFO: 0}
        entries = list(synthetic.recording(6, edit=edited((COLOR_INFO, DEPTH_INFO), zoom)))
        for entry in sorted(entries, key=lambda e: (e[3], order.get(e[0], 1))):
            writer.write(*entry)
    found, _, _ = frames(path)
    assert [observe(f)[0].camera.fx for f in found] == [75, 75, 75, 99, 99, 99]


def test_bytes_that_are_no_message_are_counted(tmp_path):
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        for index, (topic, kind, message, time) in enumerate(synthetic.recording(6)):
            writer.write(topic, kind, message, time)
            if index == 10:
                writer.write_raw(writer._topics[DEPTH], b"\0\1\0\0\xff", time)
    found, rejected, _ = frames(path)
    assert len(found) == 6
    assert rejected[f"message on {DEPTH} that does not decode"].count == 1


def test_transforms_that_are_none_are_counted(tmp_path):
    def broken(index, message):
        if index == 3:
            message.transforms[0].transform.rotation.x = math.nan
        return message

    found, rejected, _ = frames(synthetic.write(tmp_path / "bag", edit=edited(("/tf",), broken)))
    assert len(found) == 6  # its neighbours are near enough
    assert rejected["transform that is not one"].count == 1


def test_memory_holds_the_last_moments_only(tmp_path):
    """Neither a long bag, nor a stream that stopped, nor a clock that stands still fills the memory."""
    path = synthetic.write(tmp_path / "bag", frames=300, edit=edited((DETECTIONS,), lambda i, m: m if i < 5 else None))
    with BagReader(path) as reader:
        source = FrameReader(reader, find_stream(reader), BagConfig())
        waiting, made = 0, 0
        for raw in reader.messages():
            made += len(list(source.feed(raw._replace(time=START))))
            waiting = max(waiting, len(source._pending), *(len(s.stamps) for s in source._streams.values()))
        made += len(list(source.finish()))
    assert made == 300
    assert waiting < 100


def test_another_depth_unit(tmp_path):
    path = synthetic.write(tmp_path / "bag")
    config = DepthConfig(unit=0.0005)
    found, _, _ = frames(path, BagConfig(depth=config))
    depth = observe(found[0], depth_unit=config.unit)[0].depth
    np.testing.assert_allclose(depth, synthetic.depth_image(0) / 2, atol=0.00051)


def test_depth_of_another_camera_is_registered(tmp_path):
    """The depth camera has another lens and stands where colour stands: what both see is the same surface."""
    own = Camera(100, 70, 60.0, 60.0, 49.5, 34.5)
    path = synthetic.write(tmp_path / "bag", depth_camera=own, depth_frame=synthetic.DEPTH_FRAME)
    found, rejected, _ = frames(path)
    assert not rejected
    depth = observe(found[0])[0].depth
    assert depth.shape == synthetic.CAMERA.shape
    inner = (slice(5, -5), slice(5, -5))
    expected = synthetic.depth_image(0)
    close = (np.abs(depth - expected) < 0.03 * expected)[inner]  # a row of the coarser depth image on the far table
    assert close.mean() > 0.95  # all but the outline of the box


def test_depth_in_a_frame_that_nothing_joins_to_colour(tmp_path):
    path = synthetic.write(tmp_path / "bag", depth_frame="left_infra_optical_frame")
    found, rejected, _ = frames(path)
    assert not found
    assert "not in one transform tree" in rejected["frame without a transform at its stamp"].first
    found, rejected, _ = frames(path, BagConfig(depth=DepthConfig(registered=True)))
    assert len(found) == 6
    assert observe(found[0], registered=True)[0].depth.any()


def test_a_lens_is_undistorted_with_its_boxes(tmp_path):
    lens = Camera(80, 60, 75.0, 75.0, 39.5, 29.5, Distortion.PLUMB_BOB, (-0.2, 0.05, 0.0, 0.0, 0.0))

    def with_lens(index, message):
        return info_message(synthetic.FACTORY, message.header, lens)

    found, _, _ = frames(synthetic.write(tmp_path / "bag", edit=edited((COLOR_INFO, DEPTH_INFO), with_lens)))
    observation, refused = observe(found[0])
    assert observation.camera.is_pinhole
    assert not refused
    assert not np.array_equal(observation.color, synthetic.color_image(0))
    (detection,) = observation.detections
    assert detection.box != synthetic.BOX


def test_topics_can_be_named(tmp_path):
    path = synthetic.write(tmp_path / "bag", color="jpeg", depth="compressed 16UC1")
    topics = TopicConfig(color=f"{COLOR}/compressed", depth=f"{DEPTH}/compressedDepth")
    found, _, _ = frames(path, BagConfig(topics=topics))
    np.testing.assert_allclose(observe(found[0])[0].depth, synthetic.depth_image(0), atol=0.00051)


def test_a_stamp_of_zero_is_a_stamp(tmp_path):
    def zero(index, message):
        message.header.stamp = time_message(synthetic.FACTORY, index * 33_000_000)
        return message

    edit = edited((COLOR, DEPTH, COLOR_INFO, DEPTH_INFO, DETECTIONS), zero)
    assert len(frames(synthetic.write(tmp_path / "bag", tf=False, static=False, edit=edit))[0]) == 6
