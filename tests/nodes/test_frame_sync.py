"""Bringing messages of one frame together: the newest whole frame leaves, nothing is lost without being counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.nodes.config import SyncConfig
from joyai_ros.nodes.frame_sync import COLOR, DEPTH, DETECTIONS_2D, FrameSync

MS = 1_000_000
SYNC = SyncConfig(slop=0.02, patience=0.5, silence=2.0)


def sync(depth=True, detections=(), **config):
    return FrameSync(
        SyncConfig(**{"slop": 0.02, "patience": 0.5, "silence": 2.0, **config}), depth=depth, detections=detections
    )


def test_colour_and_depth_within_the_slop_make_a_frame_in_either_order():
    for first, second in ((COLOR, DEPTH), (DEPTH, COLOR)):
        frames = sync()
        stamps = {COLOR: 1000 * MS, DEPTH: 1015 * MS}
        assert frames.add(first, stamps[first], first) is None
        whole = frames.add(second, stamps[second], second)
        assert whole.stamp == 1000 * MS
        assert whole.messages == {COLOR: COLOR, DEPTH: DEPTH}


def test_depth_beyond_the_slop_makes_none_and_is_counted():
    frames = sync()
    frames.add(COLOR, 1000 * MS, "c")
    assert frames.add(DEPTH, 1021 * MS, "d") is None
    assert frames.add(COLOR, 1033 * MS, "c2").messages[DEPTH] == "d"
    frames = sync()
    for k in range(5):
        frames.add(COLOR, (1000 + 100 * k) * MS, "c")
        assert frames.add(DEPTH, (1040 + 100 * k) * MS, "d") is None
    assert frames.take_refused() == {"unsynchronised": 5}
    assert frames.take_refused() == {}


def test_the_nearest_depth_is_taken():
    frames = sync(slop=0.05)
    frames.add(DEPTH, 960 * MS, "far")
    frames.add(DEPTH, 990 * MS, "near")
    assert frames.add(COLOR, 1000 * MS, "c").messages[DEPTH] == "near"


def test_without_a_depth_stream_colour_is_a_frame():
    assert sync(depth=False).add(COLOR, 5, "c").messages == {COLOR: "c"}


def test_a_frame_waits_for_its_detections_and_newer_ones_replace_older():
    frames = sync(depth=False, detections=[DETECTIONS_2D])
    assert frames.add(COLOR, 1000 * MS, "a") is None
    assert frames.add(COLOR, 1033 * MS, "b") is None
    assert frames.add(COLOR, 1066 * MS, "c") is None
    whole = frames.add(DETECTIONS_2D, 1033 * MS, "boxes")
    assert (whole.stamp, whole.messages) == (1033 * MS, {COLOR: "b", DETECTIONS_2D: "boxes"})
    assert frames.take_refused() == {"superseded": 1}  # a
    assert frames.add(DETECTIONS_2D, 1066 * MS, "more").messages[COLOR] == "c"


def test_patience_ends_and_silence_is_not_waited_for():
    frames = sync(depth=False, detections=[DETECTIONS_2D])
    assert frames.add(COLOR, 0, "a") is None
    assert frames.add(COLOR, 400 * MS, "b") is None
    assert frames.add(COLOR, 501 * MS, "c").messages == {COLOR: "a"}  # half a second is enough
    left = [frames.add(COLOR, (600 + 100 * k) * MS, k) for k in range(20)]
    late = frames.add(COLOR, 2700 * MS, "late")
    assert late.stamp == 2700 * MS  # two seconds of silence: nobody is waited for any more
    assert all(f is None or f.messages.keys() == {COLOR} for f in left)


def test_later_detections_mean_that_a_frame_has_none():
    frames = sync(detections=[DETECTIONS_2D])
    frames.add(DETECTIONS_2D, 1100 * MS, "boxes")
    frames.add(COLOR, 1000 * MS, "c")
    assert frames.add(DEPTH, 1000 * MS, "d").messages == {COLOR: "c", DEPTH: "d"}


def test_old_and_double_stamps_are_counted():
    frames = sync(depth=False)
    assert frames.add(COLOR, 1000 * MS, "a").stamp == 1000 * MS
    assert frames.add(COLOR, 1000 * MS, "again") is None
    assert frames.add(COLOR, 900 * MS, "older") is None
    assert frames.take_refused() == {"out_of_order": 2}
    both = sync()
    both.add(DEPTH, 5, "d")
    both.add(DEPTH, 5, "d")
    assert both.take_refused() == {"duplicate": 1}


def test_stamps_that_jump_back_begin_anew():
    frames = sync(depth=False)
    assert frames.add(COLOR, 50_000 * MS, "a").sequence == 0
    assert frames.add(COLOR, 1_000 * MS, "b").sequence == 1
    assert frames.add(COLOR, 1_100 * MS, "c").sequence == 1


def test_a_dead_depth_stream_does_not_fill_the_memory():
    frames = sync()
    for k in range(500):
        assert frames.add(COLOR, k * 33 * MS, bytes(10)) is None
    assert frames.take_refused()["unsynchronised"] >= 400
    assert len(frames._streams[COLOR].stamps) <= 31


EVENTS = st.lists(
    st.tuples(st.sampled_from([COLOR, DEPTH, DETECTIONS_2D]), st.integers(0, 3_000), st.integers(-30, 30)), max_size=80
)


@given(EVENTS, st.booleans())
def test_whatever_comes_frames_leave_in_order_with_parts_that_fit(events, detections):
    streams = [DETECTIONS_2D] if detections else []
    frames = sync(detections=streams)
    colors = left = 0
    last, refused = (0, -1), 0
    for stream, when, jitter in events:
        if stream == DETECTIONS_2D and not detections:
            continue
        stamp = max(0, when + jitter) * MS
        colors += stream == COLOR
        frame = frames.add(stream, stamp, (stream, stamp))
        if frame is not None:
            assert (frame.sequence, frame.stamp) > last
            last = (frame.sequence, frame.stamp)
            left += 1
            assert frame.messages[COLOR] == (COLOR, frame.stamp)
            assert DEPTH in frame.messages
            for name, (_, other) in frame.messages.items():
                assert abs(other - frame.stamp) <= 20 * MS, name
        refused += sum(frames.take_refused().values())
    assert left <= colors


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_frames_within_a_second_may_come_in_any_order(order):
    frames = sync()
    for k in order:
        frames.add(DEPTH, k * 100 * MS, k)
    left = [f.stamp for k in range(3) if (f := frames.add(COLOR, k * 100 * MS, k)) is not None]
    assert left == [0, 100 * MS, 200 * MS]
