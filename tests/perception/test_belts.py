import threading

import pytest

from joyai_ros.perception.belts import Belt, Row, StopError


def test_items_come_in_order_through_a_short_belt():
    first, second = Belt(1), Belt(2)
    found = []

    def make():
        for number in range(100):
            first.put(number)
        first.end()

    def double():
        for number in first:
            second.put(2 * number)
        second.end()

    row = Row(first, second)
    row.add("make", make)
    row.add("double", double)
    row.add("collect", lambda: found.extend(second))
    row.start()
    while row.is_working(0.01):
        pass
    row.raise_error()
    assert found == list(range(0, 200, 2))


def test_a_belt_ends_when_all_its_producers_have():
    belt = Belt(10, producers=2)
    belt.put(1)
    belt.end()
    belt.put(2)
    belt.end()
    assert list(belt) == [1, 2]


def test_an_error_stops_the_row_and_is_raised():
    belt = Belt(1)

    def fail():
        for _ in belt:
            raise ZeroDivisionError("in the middle")

    def make():
        while True:
            belt.put(0)

    row = Row(belt)
    row.add("make", make)
    row.add("fail", fail)
    row.start()
    while row.is_working(0.01):
        pass
    with pytest.raises(ZeroDivisionError, match="in the middle"):
        row.raise_error()


def test_a_row_stops_at_its_next_item():
    belt, started = Belt(1), threading.Event()

    def make():
        while True:
            belt.put(0)
            started.set()

    row = Row(belt)
    row.add("make", make)
    row.start()
    assert started.wait(10)
    row.stop()
    assert not row.is_working(0)
    row.raise_error()
    with pytest.raises(StopError):
        belt.put(1)
    with pytest.raises(StopError):
        next(iter(belt))


def test_a_belt_that_keeps_hands_out_what_waits_before_it_stops():
    belt = Belt(3, keeps=True)
    belt.put(1)
    belt.put(2)
    belt.stop()
    with pytest.raises(StopError):
        belt.put(3)
    items = iter(belt)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(StopError):
        next(items)
