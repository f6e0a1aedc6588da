import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from joyai_ros.bags.typestore import RosbagsFactory, type_hash, typestore
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import OutputError

FACTORY = RosbagsFactory()
RELATIONS = "joyai_ros/msg/SpatialRelationArray"
STRING = "std_msgs/msg/String"


def text(words="hello"):
    return FACTORY(STRING)(data=words)


def read(path):
    with AnyReader([Path(path)]) as reader:
        return [(c.topic, t, reader.deserialize(d, c.msgtype)) for c, t, d in reader.messages()]


def metadata(path):
    return yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]


def test_rosbags_reads_what_was_written(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/words", STRING, text(), 5)
        writer.write("/relations", RELATIONS, FACTORY(RELATIONS)(abstentions=3), 7)
    (_, first, said), (_, second, relations) = read(tmp_path / "bag")
    assert (first, said.data, second, relations.abstentions) == (5, "hello", 7, 3)
    assert not (tmp_path / "bag" / "unfinished").exists()


def test_the_bag_says_its_types(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/relations", RELATIONS, FACTORY(RELATIONS)(), 7)
        writer.write("/tf_static", "tf2_msgs/msg/TFMessage", FACTORY("tf2_msgs/msg/TFMessage")(), 7)
    with AnyReader([tmp_path / "bag"]) as reader:
        relations, static = sorted(reader.connections, key=lambda c: c.topic)
        assert relations.digest == type_hash(RELATIONS)
        assert "uint8 FRAME_VIEWER=0        # the camera, levelled by gravity" in relations.msgdef.data
        assert reader.typestore.hash_rihs01(RELATIONS) == type_hash(RELATIONS)
        (profile,) = static.ext.offered_qos_profiles
        assert profile.durability.name == "TRANSIENT_LOCAL"
        assert relations.ext.offered_qos_profiles[0].reliability.name == "RELIABLE"
    entry = metadata(tmp_path / "bag")["topics_with_message_count"][0]["topic_metadata"]
    assert entry["type_description_hash"] == type_hash(RELATIONS)
    assert yaml.safe_load(entry["offered_qos_profiles"])[0]["depth"] == 10


def test_long_bags_are_cut_into_files(tmp_path):
    with BagWriter(tmp_path / "bag", split_seconds=1.0) as writer:
        for index in range(25):
            writer.write("/words", STRING, text(str(index)), index * 100_000_000)
    assert [m.data for _, _, m in read(tmp_path / "bag")] == [str(i) for i in range(25)]
    information = metadata(tmp_path / "bag")
    assert information["relative_file_paths"] == ["bag_0.mcap", "bag_1.mcap", "bag_2.mcap"]
    assert [f["message_count"] for f in information["files"]] == [10, 10, 5]
    assert information["files"][1]["starting_time"] == {"nanoseconds_since_epoch": 1_000_000_000}
    assert information["duration"] == {"nanoseconds": 2_400_000_000}
    assert information["message_count"] == 25


def test_big_bags_are_cut_into_files(tmp_path):
    with BagWriter(tmp_path / "bag", split_megabytes=0.01) as writer:
        for index in range(5):
            writer.write("/words", STRING, text("x" * 4000), index)
        assert [file.messages for file in writer.files] == [3]
    assert [file.messages for file in writer.files] == [3, 2]


def test_what_is_finished_is_a_whole_bag_while_the_rest_is_written(tmp_path):
    with BagWriter(tmp_path / "bag", split_seconds=1.0) as writer:
        for index in range(15):
            writer.write("/words", STRING, text(str(index)), index * 100_000_000)
        assert [m.data for _, _, m in read(tmp_path / "bag")] == [str(i) for i in range(10)]


def test_messages_out_of_order_are_kept(tmp_path):
    with BagWriter(tmp_path / "bag", split_seconds=1.0) as writer:
        for stamp in (500, 100, 300):
            writer.write("/words", STRING, text(str(stamp)), stamp)
    assert [m.data for _, _, m in read(tmp_path / "bag")] == ["100", "300", "500"]
    assert metadata(tmp_path / "bag")["starting_time"]["nanoseconds_since_epoch"] == 100


def test_a_bag_without_messages_is_still_a_bag(tmp_path):
    with BagWriter(tmp_path / "bag"):
        pass
    assert read(tmp_path / "bag") == []
    assert metadata(tmp_path / "bag")["message_count"] == 0


def test_a_bag_survives_an_error_of_its_user(tmp_path):
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / "bag") as writer:
        writer.write("/words", STRING, text(), 5)
        raise ZeroDivisionError
    assert len(read(tmp_path / "bag")) == 1


def test_nothing_is_overwritten_unasked(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/words", STRING, text("old"), 5)
    with pytest.raises(OutputError, match="exists already"):
        BagWriter(tmp_path / "bag")
    assert read(tmp_path / "bag")[0][2].data == "old"
    with BagWriter(tmp_path / "bag", overwrite=True) as writer:
        writer.write("/words", STRING, text("new"), 5)
    assert [m.data for _, _, m in read(tmp_path / "bag")] == ["new"]


def test_what_is_not_a_bag_is_never_replaced(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    file = tmp_path / "file"
    file.write_text("more work")
    for path in (folder, file):
        with pytest.raises(OutputError, match="not a bag"):
            BagWriter(path, overwrite=True)
    assert (folder / "chapter.txt").exists()
    assert file.exists()


def test_a_place_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the bag"):
        BagWriter(tmp_path / "file" / "bag")


class FullDisk:
    """A file whose disk takes no more than some bytes, as the kernel says it."""

    def __init__(self, stream, room):
        self._stream, self._room = stream, room

    def write(self, data):
        if self._stream.tell() + len(data) > self._room:
            part = bytes(data)[: self._room - self._stream.tell()]
            self._stream.write(part)
            raise OSError(28, os.strerror(28))
        return self._stream.write(data)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def test_a_full_disk_leaves_a_whole_bag(tmp_path):
    image = FACTORY("sensor_msgs/msg/Image")(data=np.zeros(400_000, np.uint8))
    with (
        pytest.raises(
            OutputError, match=r"No space left on device; .* a whole bag of (\d+) messages in 2 files"
        ) as told,
        BagWriter(tmp_path / "bag", split_seconds=1.0) as writer,
    ):
        for index in range(40):
            writer.write("/image", "sensor_msgs/msg/Image", image, index * 100_000_000)
            if index == 12:
                storage = writer._writer.storage
                storage.bio = FullDisk(storage.bio, room=3_000_000)
    found = read(tmp_path / "bag")
    assert f"a whole bag of {len(found)} messages" in str(told.value)
    assert 13 <= len(found) < 20
    assert [t for _, t, _ in found] == [i * 100_000_000 for i in range(len(found))]
    assert sum(file.messages for file in writer.files) == len(found)


def test_a_disk_that_is_full_from_the_start_leaves_nothing(tmp_path):
    writer = BagWriter(tmp_path / "bag")
    writer.write("/words", STRING, text(), 5)
    writer._writer.storage.bio = FullDisk(writer._writer.storage.bio, room=10)
    with pytest.raises(OutputError, match="what stands there is nothing that could be kept"):
        writer.close()
    writer.close()
    assert not list((tmp_path / "bag").glob("*.mcap"))


def test_a_folder_that_vanishes_is_an_output_error(tmp_path):
    writer = BagWriter(tmp_path / "bag")
    shutil.rmtree(tmp_path / "bag")
    (tmp_path / "bag").write_text("")
    with pytest.raises(OutputError, match="cannot write the bag"):
        writer.write("/words", STRING, text(), 5)


def test_the_type_store_knows_all_it_should():
    assert {"joyai_ros/msg/Scene", "vision_msgs/msg/Detection3DArray", "visualization_msgs/msg/MarkerArray"} <= set(
        typestore().types
    )
