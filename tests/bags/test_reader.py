import shutil

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.typestore import RosbagsFactory, definition, type_hash, typestore
from joyai_ros.bags.writer import BagWriter, TopicType
from joyai_ros.errors import BagError, EncodingError
from tests.bags import synthetic

FACTORY = RosbagsFactory()
STRING = "std_msgs/msg/String"
FRAMES = 150


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("bag") / "bag", frames=FRAMES)


def stamps(reader, topic):
    return [reader.decode(m).header.stamp.nanosec for m in reader.messages([topic])]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_both_storages_say_the_same(tmp_path, storage):
    path = synthetic.write(tmp_path / "bag", frames=3, storage=storage)
    with BagReader(path) as reader:
        assert reader.topics[synthetic.COLOR].msgtype == synthetic.IMAGE
        assert reader.topics[synthetic.COLOR].count == 3
        assert reader.count == 3 * 6 + 1
        assert (reader.start, reader.end) == (synthetic.START, synthetic.stamp_of(2))
        assert not reader.notes
        assert [m.time for m in reader.messages([synthetic.COLOR])] == [synthetic.stamp_of(i) for i in range(3)]
        image = reader.decode(next(reader.messages([synthetic.DEPTH])))
        np.testing.assert_array_equal(
            np.frombuffer(image.data, np.uint16).reshape(60, 80), np.rint(synthetic.depth_image(0) * 1000)
        )


def test_one_file_of_a_bag(recorded):
    with BagReader(recorded / "bag_0.mcap") as reader:
        assert reader.count == FRAMES * 6 + 1


def test_decoding_makes_no_copy(recorded):
    with BagReader(recorded) as reader:
        raw = reader.first(synthetic.COLOR)
        assert np.shares_memory(reader.decode(raw).data, np.frombuffer(raw.data, np.uint8))


def test_a_part_of_the_time(recorded):
    start, stop = synthetic.stamp_of(10), synthetic.stamp_of(20)
    with BagReader(recorded) as reader:
        found = [m.time for m in reader.messages([synthetic.COLOR], start=start, stop=stop)]
    assert found == [synthetic.stamp_of(i) for i in range(10, 20)]


def test_other_bags_can_take_the_messages_as_they_are(tmp_path, recorded):
    with BagReader(recorded) as reader, BagWriter(tmp_path / "copy") as writer:
        for raw in reader.messages():
            writer.write_raw(reader.topic_type(raw.topic), raw.data, raw.time)
    with BagReader(recorded) as first, BagReader(tmp_path / "copy") as second:
        assert list(first.messages()) == list(second.messages())
        assert second.topic_type(synthetic.COLOR) == first.topic_type(synthetic.COLOR)


@pytest.mark.parametrize("share", [0.95, 0.6])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path, recorded, share):
    file = tmp_path / "cut.mcap"
    data = (recorded / "bag_0.mcap").read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with BagReader(file) as reader:
        assert "was cut short; read up to its last complete block" in reader.notes[0]
        count = len(list(reader.messages([synthetic.COLOR])))
    assert 0 < count < FRAMES


def test_a_truncated_file_in_a_folder_with_metadata(tmp_path, recorded):
    folder = tmp_path / "bag"
    shutil.copytree(recorded, folder)
    data = (folder / "bag_0.mcap").read_bytes()
    (folder / "bag_0.mcap").write_bytes(data[: len(data) * 2 // 3])
    with BagReader(folder) as reader:
        assert any("was cut short" in note for note in reader.notes)
        assert 0 < len(list(reader.messages([synthetic.COLOR]))) < FRAMES


def test_a_killed_recording_has_no_metadata(tmp_path, recorded):
    folder = tmp_path / "bag"
    folder.mkdir()
    shutil.copy(recorded / "bag_0.mcap", folder)
    with BagReader(folder) as reader:
        assert "has no metadata.yaml" in reader.notes[0]
        assert reader.count == FRAMES * 6 + 1


def test_files_are_read_in_the_order_of_their_time(tmp_path):
    with BagWriter(tmp_path / "bag", split_seconds=1.0) as writer:
        for index in range(12):
            message = FACTORY(STRING)(data=str(index))
            writer.write("/words", STRING, message, index * 1_000_000_000)
    (tmp_path / "bag" / "metadata.yaml").unlink()  # bag_10 stands before bag_2 now
    with BagReader(tmp_path / "bag") as reader:
        assert [reader.decode(m).data for m in reader.messages()] == [str(i) for i in range(12)]


def test_the_unfinished_file_of_a_killed_writer_is_read_too(tmp_path):
    writer = BagWriter(tmp_path / "bag", split_seconds=1.0)
    for index in range(25):
        message = FACTORY("sensor_msgs/msg/Image")(data=np.full(700_000, index, np.uint8))
        writer.write("/image", "sensor_msgs/msg/Image", message, index * 100_000_000)
    # Killed here: nothing is closed.
    with BagReader(tmp_path / "bag") as reader:
        values = [int(reader.decode(m).data[0]) for m in reader.messages()]
        assert any("unfinished" in note and "cut short" in note for note in reader.notes)
    assert values == list(range(len(values)))
    assert 20 < len(values) <= 25


def test_damage_in_the_middle_ends_only_its_file(tmp_path):
    path = tmp_path / "bag"
    with BagWriter(path, split_seconds=1.0) as writer:
        for topic, msgtype, message, time in synthetic.recording(90):
            writer.write(topic, msgtype, message, time)
    data = bytearray((path / "bag_1.mcap").read_bytes())
    middle = len(data) // 3
    data[middle : middle + 200_000] = b"\xff" * 200_000
    (path / "bag_1.mcap").write_bytes(data)
    with BagReader(path) as reader:
        times = [m.time for m in reader.messages([synthetic.COLOR])]
        assert any("is damaged" in note and "bag" in note for note in reader.notes)
    assert times[0] == synthetic.START
    assert times[-1] == synthetic.stamp_of(89)
    assert 35 < len(times) < 90


def break_sqlite(path):
    file = next(path.glob("*.db3"))
    file.write_bytes(file.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist; give a rosbag2 folder"),
        (lambda path: path.mkdir(), "is not a bag: it has no .mcap or .db3 file"),
        (lambda path: path.write_text("words"), "not a rosbag2 recording"),
        (lambda path: (path.mkdir(), (path / "bag_0.mcap").write_bytes(b"")), "holds no messages .*is empty"),
        (
            lambda path: (path.mkdir(), (path / "metadata.yaml").write_text("a: [")),
            "it has no .mcap or .db3 file .*metadata.yaml is damaged",
        ),
        (lambda path: (path.mkdir(), (path / "metadata.yaml").write_text("a: 1")), "metadata.yaml is damaged"),
        (lambda path: BagWriter(path).close(), "holds no messages"),
        (lambda path: break_sqlite(synthetic.write(path, storage="sqlite3")), "holds no messages .*cannot be read"),
    ],
)
def test_bags_that_are_none(tmp_path, make, words):
    make(tmp_path / "bag")
    with pytest.raises(BagError, match=words), BagReader(tmp_path / "bag"):
        pass


@pytest.mark.parametrize("content", [b"", b"\x89MCAP0\r\n", b"no mcap at all, only words" * 9])
def test_files_that_are_no_bags(tmp_path, content):
    file = tmp_path / "file.mcap"
    file.write_bytes(content)
    with pytest.raises(BagError, match=r"file\.mcap"), BagReader(file):
        pass


def test_types_come_from_the_bag_itself(tmp_path):
    """Another version of a message than ours decodes as the bag defines it."""
    old = TopicType("/old", "vision_msgs/msg/Point2D", "float32 x\nfloat32 y\nstring note\n", "", ())
    data = b"\0\1\0\0" + np.array([1.5, 2.5], "<f4").tobytes() + b"\3\0\0\0hi\0"
    with BagWriter(tmp_path / "bag") as writer:
        writer.write_raw(old, data, 5)
    with BagReader(tmp_path / "bag") as reader:
        message = reader.decode(reader.first("/old"))
    assert (message.x, message.y, message.note) == (1.5, 2.5, "hi")


def test_types_nobody_knows_are_copied_and_not_decoded(tmp_path):
    strange = TopicType("/strange", "their_msgs/msg/Thing", "", "", ())
    with BagWriter(tmp_path / "bag") as writer:
        writer.write_raw(strange, b"\0\1\0\0abc", 5)
    with BagReader(tmp_path / "bag") as reader, BagWriter(tmp_path / "copy") as writer:
        raw = reader.first("/strange")
        with pytest.raises(EncodingError, match="not a their_msgs/msg/Thing"):
            reader.decode(raw)
        writer.write_raw(reader.topic_type("/strange"), raw.data, raw.time)
    with BagReader(tmp_path / "copy") as reader:
        assert reader.first("/strange").data == b"\0\1\0\0abc"


def test_bags_without_definitions_are_understood(tmp_path):
    """Recorders before Iron wrote none into sqlite3."""
    bare = TopicType("/words", STRING, "", "", ())
    with BagWriter(tmp_path / "bag") as writer:
        writer.write_raw(bare, b"\0\1\0\0\3\0\0\0hi\0", 5)
    with BagReader(tmp_path / "bag") as reader:
        assert reader.decode(reader.first("/words")).data == "hi"
        kind = reader.topic_type("/words")
    assert (kind.definition, kind.hash) == (definition(STRING), type_hash(STRING))


@pytest.mark.parametrize("data", [b"", b"\0\1\0\0", b"\0\1\0\0\xff\xff\xff\x7f", b"\7\7\0\0abc"])
def test_bytes_that_are_no_message(tmp_path, data):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write_raw(TopicType.known("/image", synthetic.IMAGE), data, 5)
    with BagReader(tmp_path / "bag") as reader, pytest.raises(EncodingError, match="a message on /image is not a"):
        reader.decode(reader.first("/image"))


def test_a_missing_file_is_said(tmp_path):
    with BagWriter(tmp_path / "bag", split_seconds=1.0) as writer:
        for topic, msgtype, message, time in synthetic.recording(60):
            writer.write(topic, msgtype, message, time)
    (tmp_path / "bag" / "bag_0.mcap").unlink()
    with BagReader(tmp_path / "bag") as reader:
        assert any("bag_0.mcap is missing" in note for note in reader.notes)
        assert 25 < len(list(reader.messages([synthetic.COLOR]))) <= 30


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE, CompressionMode.STORAGE])
def test_compressed_bags(tmp_path, mode):
    writer = Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/words", STRING, typestore=typestore())
        for index in range(3):
            words = FACTORY(STRING)(data=str(index))
            writer.write(connection, index, bytes(typestore().serialize_cdr(words, STRING)))
    with BagReader(tmp_path / "bag") as reader:
        assert [reader.decode(m).data for m in reader.messages()] == ["0", "1", "2"]
