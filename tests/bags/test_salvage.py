import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat as Format
from rosbags.rosbag2 import CompressionMode, Reader, ReaderError, StoragePlugin, Writer

from joyai_ros.bags.salvage import SalvagedFile, examine, is_cut, seal
from joyai_ros.bags.typestore import typestore
from tests.bags import synthetic


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a file of several chunks."""
    path = synthetic.write(tmp_path_factory.mktemp("bag") / "whole", frames=90)
    return (path / "whole_0.mcap").read_bytes()


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory):
    """The same with compressed chunks, as ros2 bag's mcap preset zstd_fast writes them."""
    path = tmp_path_factory.mktemp("bag") / "squeezed"
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, Format.ZSTD)
    with writer:
        connections = {}
        for topic, msgtype, message, time in synthetic.recording(90):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=typestore())
            writer.write(connections[topic], time, typestore().serialize_cdr(message, msgtype))
    return (path / "squeezed.mcap").read_bytes()


def messages(source):
    with Reader(source) as reader:
        return [(c.topic, t, d) for c, t, d in reader.messages()]


def cut(path, data, length):
    path.write_bytes(data[:length])
    return path


@pytest.mark.parametrize("kind", ["whole", "squeezed"])
def test_a_cut_file_reads_up_to_its_last_block(tmp_path, request, kind):
    data = request.getfixturevalue(kind)
    everything = messages(cut(tmp_path / "all.mcap", data, len(data)))
    for share in (0.999, 0.8, 0.5):
        file = cut(tmp_path / "cut.mcap", data, int(len(data) * share))
        assert is_cut(file)
        with pytest.raises(ReaderError):
            messages(file)
        found = messages(SalvagedFile(file, examine(file)))
        assert found
        assert set(found) <= set(everything)
        assert len(found) > len(everything) * share - 250  # a block holds at most a megabyte


def test_sealing_makes_a_whole_file(tmp_path, whole):
    file = cut(tmp_path / "cut.mcap", whole, len(whole) * 2 // 3)
    before = messages(SalvagedFile(file, examine(file)))
    salvage = seal(file)
    assert not is_cut(file)
    assert messages(file) == before
    assert salvage.counts.total() == len(before)
    assert (salvage.first, salvage.last) == (before[0][1], max(t for _, t, _ in before))
    with Reader(file) as reader:
        assert {c.topic for c in reader.connections} >= {synthetic.COLOR, synthetic.DEPTH, "/tf"}
        assert all(c.msgdef.data for c in reader.connections)


@settings(max_examples=60)
@given(st.data())
def test_any_cut_is_survived(tmp_path_factory, whole, data):
    length = data.draw(st.integers(50, len(whole) - 1))
    file = cut(tmp_path_factory.mktemp("cut") / "cut.mcap", whole, length)
    salvage = examine(file)
    assert salvage.end + salvage.lost == length
    found = messages(SalvagedFile(file, salvage))
    assert len(found) == salvage.counts.total()
    seal(file)
    assert messages(file) == found


def test_a_whole_file_is_not_cut(tmp_path, whole):
    assert not is_cut(cut(tmp_path / "a.mcap", whole, len(whole)))


@pytest.mark.parametrize("length", [0, 3, 8, 20])
def test_a_file_of_nearly_nothing(tmp_path, whole, length):
    file = cut(tmp_path / "a.mcap", whole, length)
    assert is_cut(file) == (length >= 8)
    assert examine(file).counts.total() == 0


def test_a_file_without_chunks_is_scanned(tmp_path, whole):
    """Some recorders write messages outside of chunks; nothing indexes them."""
    file = tmp_path / "plain.mcap"
    file.write_bytes(_unchunked(whole)[:-1000])
    salvage = examine(file)
    assert not salvage.counts
    assert len(messages(SalvagedFile(file, salvage))) > 10


def _unchunked(data):
    """Return the file with the records of its chunks at the top level, and no index."""
    at, plain = 8, [data[:8]]
    while at < len(data) - 8:
        opcode, length = data[at], int.from_bytes(data[at + 1 : at + 9], "little")
        if opcode == 0x01:
            plain.append(data[at : at + 9 + length])
        elif opcode == 0x06:
            plain.append(data[at + 9 + 28 + 4 + 8 : at + 9 + length])
        at += 9 + length
    return b"".join(plain)
