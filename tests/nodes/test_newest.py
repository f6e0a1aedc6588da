"""One place, one thread: the newest item is served, a failure ends it."""

import threading

from joyai_ros.nodes.newest import Newest
from joyai_ros.nodes.tally import Tally


def test_what_waits_is_replaced_and_what_is_in_work_is_finished():
    served, gate, entered = [], threading.Event(), threading.Event()

    def serve(item):
        entered.set()
        assert gate.wait(10)
        served.append(item)

    place = Newest("test", serve, lambda error: None)
    place.start()
    assert not place.offer(1)
    assert entered.wait(10)
    assert not place.offer(2)
    assert place.offer(3)  # 2 had to make way
    assert place.offer(4)
    gate.set()
    while len(served) < 2:
        threading.Event().wait(0.001)
    assert served == [1, 4]
    assert place.stop()


def test_stopping_drops_what_waits_and_waits_for_what_is_in_work():
    served, gate, entered = [], threading.Event(), threading.Event()

    def serve(item):
        entered.set()
        assert gate.wait(10)
        served.append(item)

    place = Newest("test", serve, lambda error: None)
    place.start()
    place.offer(1)
    assert entered.wait(10)
    place.offer(2)
    assert not place.stop(timeout=0.05)  # still at it
    gate.set()
    assert place.stop()
    assert served == [1]


def test_it_can_be_stopped_before_it_starts_and_from_its_own_thread():
    assert Newest("test", print, lambda error: None).stop()
    stopped = threading.Event()

    def serve(item):
        place.stop()
        stopped.set()

    place = Newest("test", serve, lambda error: None)
    place.start()
    place.offer(1)
    assert stopped.wait(10)
    assert place.stop()


def test_a_failure_is_handed_over_and_ends_the_thread():
    failures = []

    def serve(item):
        raise ValueError(item)

    place = Newest("test", serve, failures.append)
    place.start()
    place.offer("bad")
    while not failures:
        threading.Event().wait(0.001)
    assert str(failures[0]) == "bad"
    assert place.stop()


def test_a_tally_counts_times_and_forgets_on_request():
    tally = Tally()
    tally.add("a")
    tally.add("a", 2)
    tally.add("nothing", 0)
    assert tally.counts() == {"a": 3}
    assert tally.since_last() == {"a": 3}
    assert tally.since_last() == {"a": 0}
    for seconds in (0.1, 0.3, 0.2):
        tally.time("work", seconds)
    assert tally.quantiles("work") == (0.2, 0.3)
    assert tally.quantiles("rest") is None
    tally.touch("frame", 5.0)
    assert tally.age("frame", 7.5) == 2.5
    assert tally.age("other", 7.5) is None
    tally.clear()
    assert tally.quantiles("work") is None
    assert tally.age("frame", 9.0) is None
    assert tally.counts() == {"a": 3}
