"""Ids that are issued: never one twice, the detector's own where that is safe."""

from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.scene.track_ids import IdBook

WANTED = st.sampled_from(["", "a", "b", "a_2", "cluster_0", "cluster_1"])


@given(st.lists(st.tuples(WANTED, st.booleans()), max_size=30))
def test_no_id_is_issued_twice_until_a_detector_is_trusted(wishes):
    book, live, issued = IdBook(), set(), []
    for wanted, leaves in wishes:
        name = book.issue(wanted, live)
        issued.append(name)
        live.add(name)
        if leaves:
            live.discard(name)
    assert len(issued) == len(set(issued))
    assert "" not in issued


@given(st.lists(WANTED, max_size=20), st.sets(st.sampled_from(["a", "b", "cluster_0", "cluster_3"])))
def test_nobody_gets_the_id_of_a_present_object(wishes, present):
    book, live = IdBook(), set(present)
    book.compare([(name, name) for name in "abcdefghijkl"])
    assert book.trusted
    for wanted in wishes:
        name = book.issue(wanted, live)
        assert name not in live
        live.add(name)


def test_the_first_object_of_a_name_gets_it():
    book = IdBook()
    assert [book.issue(wanted, ()) for wanted in ("mug", "mug", "", "")] == ["mug", "mug_2", "cluster_0", "cluster_1"]


def test_a_trusted_detector_names_an_object_again():
    book = IdBook()
    book.compare([(f"{k}", f"{k}") for k in range(12)])
    assert [book.issue("mug", ()) for _ in range(2)] == ["mug", "mug"]
    assert book.issue("mug", {"mug"}) == "mug_2"


def test_trust_takes_ten_confirmations_and_is_lost_with_a_few_mistakes():
    book = IdBook()
    book.compare([("a", "a")] * 9)
    assert not book.trusted
    book.compare([("a", "a")] * 9)
    assert book.trusted
    book.compare([("a", "b")])
    book.compare([("a", "a")])
    assert not book.trusted
    for _ in range(60):
        book.compare([("a", "a")])
    assert book.trusted  # old mistakes fade
