"""Whole bags through the perception: what comes out, and what is said of bad input."""

import json
import math
import time

import numpy as np
import pytest

from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import BagError, ConfigError, OutputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.perception.bag_run import RunConfig, process_bag, report_json
from joyai_ros.perception.outputs import TYPES
from joyai_ros.perception.pipeline import Perception
from joyai_ros.settings import build
from tests.bags import synthetic
from tests.bags.synthetic import COLOR, COLOR_INFO, DEPTH, DEPTH_INFO, DETECTIONS, stamp_of
from tests.bags.test_frames import copied, edited
from tests.perception.fake import FakeEngine


def run(bag, output, engine=None, **settings):
    config = build(RunConfig, {"view.rate": 0.0, **settings})
    return process_bag(bag, output, config, perception=Perception(config.perception, engine or FakeEngine()))


def reasons(report):
    return {r.reason: r.count for r in report.rejections}


def scenes(path):
    with BagReader(path) as reader:
        return [scene_from_message(reader.decode(m)) for m in reader.messages(["/joyai/scene"])]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A whole recording through the real perception."""
    folder = tmp_path_factory.mktemp("run")
    bag = synthetic.write(folder / "bag", frames=20)
    return bag, folder / "out", process_bag(bag, folder / "out")


def test_the_output_holds_all_topics_beside_the_input(done):
    bag, output, report = done
    with BagReader(bag) as before, BagReader(output) as after:
        types = {name: topic.msgtype for name, topic in after.topics.items()}
        assert types == {n: t.msgtype for n, t in before.topics.items()} | {f"/joyai/{n}": t for n, t in TYPES.items()}
        counts = {name: topic.count for name, topic in after.topics.items()}
        for name in ("scene", "relations", "objects", "markers", "debug_image/compressed"):
            assert counts[f"/joyai/{name}"] == 20
        for name in ("image", "camera_info", "validity"):
            assert counts[f"/joyai/view/{name}"] == report.views == 2
        assert not after.notes
    assert report.frames == 20
    assert report.written == dict(sorted(counts.items()))
    assert not report.rejections


def test_input_messages_are_copied_as_they_are(done):
    bag, output, _ = done
    with BagReader(bag) as before, BagReader(output) as after:
        for topic in (COLOR, DEPTH, COLOR_INFO, DETECTIONS, "/tf_static"):
            assert list(before.messages([topic])) == list(after.messages([topic]))
            assert before.topic_type(topic) == after.topic_type(topic)


def test_outputs_are_recorded_at_the_time_of_their_image(done):
    _, output, _ = done
    with BagReader(output) as reader:
        for name in ("scene", "markers", "debug_image/compressed"):
            times = [m.time for m in reader.messages([f"/joyai/{name}"])]
            assert times == [stamp_of(i) for i in range(20)]


def test_the_scene_of_every_frame_is_right(tmp_path):
    large = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
    boxes = {"edit": edited((DETECTIONS,), lambda i, m: boxed(m, 160.0, 120.0, y=116.0, height=116.0))}
    process_bag(synthetic.write(tmp_path / "bag", frames=3, camera=large, **boxes), tmp_path / "out")
    for index, scene in enumerate(scenes(tmp_path / "out")):
        assert scene.stamp == stamp_of(index)
        (item,) = scene.objects
        assert (item.id, item.label) == ("box_0", "box")
        assert item.height == pytest.approx(0.12, abs=0.01)
        in_world = rigid.apply(scene.world_from_camera, item.obb.center)
        np.testing.assert_allclose(in_world, [0.81, 0.0, 0.06], atol=0.02)
        assert scene.up_source.name == "TF"
        np.testing.assert_allclose(scene.world_from_camera, synthetic.world_from_camera(index), atol=1e-9)


def test_the_view_is_a_camera_in_the_tree(done):
    _, output, _ = done
    with BagReader(output) as reader:
        info = reader.decode(reader.first("/joyai/view/camera_info"))
        frames = {t.child_frame_id for m in reader.messages(["/tf"]) for t in reader.decode(m).transforms}
        assert info.header.frame_id in frames
        assert stamp_ns(info) == stamp_of(0)


def test_a_run_over_its_own_output_starts_afresh(done, tmp_path):
    _, output, _ = done
    report = run(output, tmp_path / "again")
    assert report.frames == 20
    assert reasons(report)["message of an earlier run, not copied"] > 100
    with BagReader(tmp_path / "again") as reader:
        assert reader.topics["/joyai/scene"].count == 20


def test_the_report_is_plain_data(done):
    *_, report = done
    said = json.loads(json.dumps(report_json(report), allow_nan=False))
    assert said["frames"] == 20
    assert said["topics"]["color"] == COLOR
    assert said["written"]["/joyai/scene"] == 20


def test_another_namespace(tmp_path):
    run(synthetic.write(tmp_path / "bag"), tmp_path / "out", **{"output.namespace": "robot1/eyes"})
    with BagReader(tmp_path / "out") as reader:
        assert reader.topics["/robot1/eyes/scene"].count == 6


@pytest.mark.parametrize("storage", ["sqlite3", "bare mcap"])
def test_other_kinds_of_bags(tmp_path, storage):
    bag = synthetic.write(tmp_path / "bag", storage="mcap" if storage == "bare mcap" else storage)
    report = run(bag / "bag_0.mcap" if storage == "bare mcap" else bag, tmp_path / "out")
    assert report.frames == 6


@pytest.mark.parametrize(("color", "depth"), [("jpeg", "compressed 32FC1"), ("bgra8", "32FC1"), ("mono8", "16UC1")])
def test_other_encodings(tmp_path, color, depth):
    report = run(synthetic.write(tmp_path / "bag", color=color, depth=depth), tmp_path / "out")
    assert (report.frames, report.rejections) == (6, [])


def test_a_truncated_bag_is_used_as_far_as_it_goes(tmp_path):
    bag = synthetic.write(tmp_path / "bag", frames=150)
    data = (bag / "bag_0.mcap").read_bytes()
    (bag / "bag_0.mcap").write_bytes(data[: len(data) * 2 // 3])
    report = run(bag, tmp_path / "out")
    assert 60 < report.frames < 110
    assert any("was cut short" in note for note in report.notes)


def change(topics, how):
    """Return options that change every third message of some topics."""
    return {"edit": edited(topics, lambda i, m: how(m) if i % 3 == 1 else m)}


def encoded(message, name):
    message.encoding = name
    return message


def scaled(message, factor):
    message.data = (message.data.view(np.float32) * np.float32(factor)).view(np.uint8)
    return message


def calibrated(message, value):
    message.k, message.p = np.full(9, value), np.full(12, value)
    return message


def boxed(message, x, width, y=28.5, height=27.0):
    box = message.detections[0].bbox
    box.center.position.x, box.size_x, box.center.position.y, box.size_y = x, width, y, height
    return message


@pytest.mark.parametrize(
    ("options", "reason", "count"),
    [
        (change((COLOR,), lambda m: encoded(m, "yuv422")), "frame with an image that does not decode", 2),
        (change((DEPTH,), lambda m: encoded(m, "rgb8")), "frame with an image that does not decode", 2),
        (change((COLOR_INFO,), lambda m: calibrated(m, 0.0)), "frame with a camera_info that is not its camera", 2),
        (
            change((COLOR_INFO,), lambda m: calibrated(m, math.nan)),
            "frame with a camera_info that is not its camera",
            2,
        ),
        ({"depth": "32FC1", **change((DEPTH,), lambda m: scaled(m, 0.0))}, "frame without usable depth", 2),
        ({"depth": "32FC1", **change((DEPTH,), lambda m: scaled(m, math.nan))}, "frame without usable depth", 2),
        ({"depth": "32FC1", **change((DEPTH,), lambda m: scaled(m, math.inf))}, "frame without usable depth", 2),
        (change((DEPTH,), lambda m: None), "colour image without a depth image within 20 ms", 2),
        (change((DETECTIONS,), lambda m: boxed(m, 500.0, 20.0)), "detection that cannot be used", 2),
        (change((DETECTIONS,), lambda m: boxed(m, 40.0, -20.0)), "detection that cannot be used", 2),
        (change((DETECTIONS,), lambda m: boxed(m, math.nan, 20.0)), "detection that cannot be used", 2),
        (
            change((COLOR,), lambda m: [m, copied(m, stamp_ns(m))]),
            f"message on {COLOR} with the stamp of the one before",
            2,
        ),
        (
            change((COLOR,), lambda m: [m, copied(m, stamp_ns(m) - 10_000_000)]),
            f"message on {COLOR} with a stamp before the one before",
            2,
        ),
        (
            change(
                (DETECTIONS,), lambda m: copied(m, stamp_ns(m), header=header(synthetic.FACTORY, stamp_ns(m), "moon"))
            ),
            "detection that cannot be read",
            2,
        ),
    ],
)
def test_what_is_bad_in_a_stream_is_counted_and_the_rest_goes_on(tmp_path, options, reason, count):
    report = run(synthetic.write(tmp_path / "bag", **options), tmp_path / "out")
    found = reasons(report)
    assert list(found) == [reason]
    assert found[reason] == count
    lost = found[reason] if reason.startswith(("frame", "colour")) else 0
    assert report.frames == 6 - lost
    assert len(scenes(tmp_path / "out")) == report.frames
    with BagReader(tmp_path / "bag") as before, BagReader(tmp_path / "out") as after:
        assert all(after.topics[name].count == topic.count for name, topic in before.topics.items())


def test_nan_within_a_depth_image_is_no_fault(tmp_path):
    def holes(index, message):
        values = message.data.view(np.float32).copy()
        values[::2], values[1::7] = math.nan, math.inf
        message.data = values.view(np.uint8)
        return message

    engine = FakeEngine()
    report = run(
        synthetic.write(tmp_path / "bag", depth="32FC1", edit=edited((DEPTH,), holes)), tmp_path / "out", engine
    )
    assert (report.frames, report.rejections) == (6, [])
    assert all(np.isfinite(o.depth).all() for o in engine.seen)


def small_depth(message):
    message.width, message.height, message.step = 40, 30, 80
    message.data = message.data[: 40 * 30 * 2]
    return message


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        ({"edit": edited((COLOR,), lambda i, m: None)}, {}, "holds no colour image"),
        ({"edit": edited((DEPTH,), lambda i, m: None)}, {}, "holds no depth image"),
        ({"edit": edited((COLOR_INFO, DEPTH_INFO), lambda i, m: None)}, {}, "no camera_info for"),
        (
            {"edit": edited((COLOR,), lambda i, m: encoded(m, "yuv422"))},
            {},
            r"no frame of .* could be used: 6 x frame with an image that does not decode \(first: colour image: .*'yuv422'",
        ),
        (
            {"edit": edited((COLOR_INFO, DEPTH_INFO), lambda i, m: calibrated(m, 0.0))},
            {},
            "no frame of .* could be used: 6 x .*is all zero: the camera is not calibrated",
        ),
        (
            {"edit": edited((DEPTH, DEPTH_INFO), lambda i, m: small_depth(m) if hasattr(m, "step") else None)},
            {"topics.depth_info": ""},
            "could be used: 6 x ",
        ),
        (
            {"edit": edited((DEPTH,), lambda i, m: copied(m, stamp_ns(m) + 10**9))},
            {},
            "without a depth image within 20 ms",
        ),
    ],
)
def test_bags_without_one_usable_frame_leave_nothing(tmp_path, options, settings, words):
    bag = synthetic.write(tmp_path / "bag", **options)
    with pytest.raises(BagError, match=words):
        run(bag, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_depth_of_another_size_without_a_calibration(tmp_path):
    """The only camera_info is that of the colour image, in whose frame depth says to be."""
    bag = tmp_path / "bag"
    edit = edited((DEPTH,), lambda i, m: small_depth(m))
    with BagWriter(bag) as writer:
        for topic, msgtype, message, time in synthetic.recording(4, edit=edit):
            if topic != DEPTH_INFO:
                writer.write(topic, msgtype, message, time)
    with pytest.raises(BagError, match=r"4 x frame without usable depth \(first: depth is 40x30"):
        run(bag, tmp_path / "out")


def test_an_output_that_exists_stays(tmp_path):
    bag = synthetic.write(tmp_path / "bag")
    run(bag, tmp_path / "out")
    with pytest.raises(OutputError, match="exists already"):
        run(bag, tmp_path / "out")
    assert len(scenes(tmp_path / "out")) == 6


@pytest.mark.parametrize("output", ["bag", "bag/inner", "."])
def test_input_and_output_stay_apart(tmp_path, output):
    bag = synthetic.write(tmp_path / "bag")
    with pytest.raises(OutputError, match="lie within each other"):
        process_bag(bag, tmp_path / output, overwrite=True)
    with BagReader(bag) as reader:
        assert reader.count == 6 * 6 + 1


def test_a_named_topic_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"topics.depth is '/deep'"):
        run(synthetic.write(tmp_path / "bag"), tmp_path / "out", **{"topics.depth": "/deep"})
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_engine_comes_out_and_leaves_a_whole_bag(tmp_path):
    def fail(number):
        if number == 4:
            raise ZeroDivisionError("engine")

    with pytest.raises(ZeroDivisionError, match="engine"):
        run(synthetic.write(tmp_path / "bag"), tmp_path / "out", FakeEngine(fail))
    with BagReader(tmp_path / "out") as reader:
        assert reader.count > 0


def test_an_interrupt_leaves_a_whole_bag(tmp_path):
    bag = synthetic.write(tmp_path / "bag", frames=60)
    config = build(RunConfig, {"view.rate": 0.0})

    def stop(progress):
        if progress.frames >= 5:
            raise KeyboardInterrupt

    slow = FakeEngine(lambda number: time.sleep(0.02))
    report = process_bag(bag, tmp_path / "out", config, perception=Perception(config.perception, slow), progress=stop)
    assert report.interrupted
    assert 0 < report.frames < 60
    assert len(scenes(tmp_path / "out")) == report.frames
    assert not (tmp_path / "out" / "unfinished").exists()


def test_poses_stay_out_of_gravity_where_the_world_may_lie_askew(tmp_path):
    """A reconstruction's axes say nothing of up: then up comes from the depth image."""
    names = {"odom": "reconstruction", "base_link": "rig"}

    def renamed(index, message):
        for item in message.transforms:
            item.header.frame_id = names.get(item.header.frame_id, item.header.frame_id)
            item.child_frame_id = names.get(item.child_frame_id, item.child_frame_id)
        return message

    bag = tmp_path / "bag"
    with BagWriter(bag) as writer:
        for topic, msgtype, message, time in synthetic.recording(4):
            writer.write(topic, msgtype, renamed(0, message) if topic.startswith("/tf") else message, time)
    report = process_bag(bag, tmp_path / "out", build(RunConfig, {"view.rate": 0.0}))
    assert (report.world_frame, report.up_frame) == ("reconstruction", "")
    assert {s.up_source.name for s in scenes(tmp_path / "out")} <= {"CLOUD", "UNKNOWN"}
    assert all(s.world_frame == "reconstruction" for s in scenes(tmp_path / "out"))
