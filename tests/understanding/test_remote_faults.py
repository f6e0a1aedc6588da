"""All that can go wrong with a model server: keys, models, faults that pass and that stay, silence, broken streams, cancel."""

import json
import logging
import socket
import struct
import threading
import time

import pytest

from joyai_ros.understanding.backend import Finish, ModelError, ModelMemoryError
from tests.understanding.scripted_server import Handler, fails, says, serving
from tests.understanding.side_question import LEFT, question


def test_a_wrong_key_is_named_but_never_shown(connect, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "openai._base_client", "httpx"):  # ROS 2's plugins for pytest keep them from caplog
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    words = r"refused the key \(401.*environment variable MY_KEY"
    with serving(fails(401, "Incorrect: sk-secret-123")) as server, pytest.raises(ModelError, match=words) as caught:
        connect(server, key_variable="MY_KEY").answer([question()])
    assert server.keys == ["Bearer sk-secret-123"]
    assert "401" in caplog.text
    assert "sk-secret-123" not in str(caught.value) + caplog.text


def test_a_key_that_belongs_to_another_service_is_not_sent(connect, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    with serving(says(LEFT)) as server:
        connect(server).answer([question()])
    assert "sk-other" not in server.keys[0]


def test_an_unknown_model_is_named(connect):
    words = "has no model 'large'.*404: no such model"
    with serving(fails(404, "no such model")) as server, pytest.raises(ModelError, match=words):
        connect(server, model="large").answer([question()])


@pytest.mark.parametrize(("models", "count"), [((), "0 models"), (("a", "b"), r"2 models \(a, b\)")])
def test_which_model_must_be_clear(connect, models, count):
    with serving(says(LEFT), models=models) as server, pytest.raises(ModelError, match=count):
        connect(server).answer([question()])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_passing_fault_is_waited_out(connect, status):
    with serving(fails(status, "later"), fails(status, "later"), says(LEFT)) as server:
        assert connect(server).answer([question()])[0].text == LEFT
    assert len(server.bodies) == 3


def test_tries_are_bounded_and_further_and_further_apart(connect):
    with serving(fails(503, "loading")) as server:
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"failed \(asked 4 times, 503: loading\)"):
            connect(server, first_delay=0.05, longest_delay=1.0, retries=3).answer([question()])
        took = time.monotonic() - start
    assert len(server.bodies) == 4
    assert 0.35 <= took < 2.0, "0.05 + 0.1 + 0.2 s"


def test_the_server_says_how_long_to_wait_within_bounds(connect):
    with serving(fails(429, "slow down", Retry_After="3600"), says(LEFT)) as server:
        start = time.monotonic()
        connect(server, longest_delay=0.3).answer([question()])
        assert 0.3 <= time.monotonic() - start < 1.5


def test_out_of_memory_is_its_own_error_and_not_tried_again(connect):
    with serving(fails(500, "CUDA out of memory. Tried to allocate 9 GiB"), says(LEFT)) as server:
        backend = connect(server)
        with pytest.raises(ModelMemoryError, match=r"ran out of memory.*smaller images"):
            backend.answer([question()])
        assert backend.answer([question()])[0].text == LEFT
    assert len(server.bodies) == 2


def test_no_server_at_all(connect):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=rf"no model server answers at {url} \(asked 2 times.*start it"):
            connect(url, model="m", retries=1).answer([question()])


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_that_hangs_up_is_not_called_absent(connect, reset):
    def hang_up(handler: Handler) -> None:
        if reset:  # what a killed process leaves behind
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for part in (handler.rfile, handler.wfile, handler.connection):
                part.close()
        handler.close_connection = True

    with serving(hang_up, hang_up, says(LEFT)) as server:
        backend = connect(server, retries=1)
        with pytest.raises(
            ModelError, match=rf"{server.url} ended the connection without an answer \(asked 2 times.*log"
        ):
            backend.answer([question()])
        assert backend.answer([question()])[0].text == LEFT
    assert len(server.bodies) == 3


def test_a_silent_server_is_given_up_and_not_asked_twice(connect):
    over = threading.Event()
    with serving(lambda handler: over.wait(10)) as server:
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"fell silent.*before its answer began.*read_timeout"):
            connect(server, read_timeout=0.3).answer([question()])
        over.set()
    assert time.monotonic() - start < 3
    assert len(server.bodies) == 1


def test_an_answer_that_trickles_for_ever_is_given_up(connect):
    over = threading.Event()

    def trickle(handler: Handler) -> None:
        handler.start_stream()
        while not over.wait(0.02):
            handler.piece("x")

    with serving(trickle) as server:
        with pytest.raises(ModelError, match=r"did not finish its answer in 0.5 s"):
            connect(server, answer_timeout=0.5).answer([question()])
        over.set()


def test_a_stream_that_ends_too_early_is_an_error(connect):
    def broken(handler: Handler) -> None:
        handler.start_stream()
        handler.piece('{"answer"')
        handler.close_connection = True

    with serving(broken, says(LEFT)) as server:
        backend = connect(server)
        with pytest.raises(ModelError, match=r"broke off after 9 characters.*ask again when it is back"):
            backend.answer([question()])
        assert backend.answer([question()])[0].text == LEFT
    assert len(server.bodies) == 2, "what had begun to show is not begun again in silence"


def test_a_stream_of_something_else_is_an_error(connect):
    def garbage(handler: Handler) -> None:
        handler.start_stream()
        handler.event("{this is no JSON")

    with serving(garbage) as server, pytest.raises(ModelError, match="sent what is no answer"):
        connect(server).answer([question()])


def test_an_error_within_the_stream_is_told(connect):
    def sorry(handler: Handler) -> None:
        handler.start_stream()
        handler.piece('{"ans')
        handler.event(json.dumps({"error": {"message": "the worker died"}}))

    with serving(sorry) as server, pytest.raises(ModelError, match=r"broke off after 5 characters.*the worker died"):
        connect(server).answer([question()])


def test_a_page_where_a_server_was_expected(connect):
    with serving(lambda handler: handler.send(200, "<html>")) as server, pytest.raises(ModelError, match="no answer"):
        connect(server).answer([question()])


def test_cancel_closes_the_stream_within_a_piece(connect):
    closed = threading.Event()

    def endless(handler: Handler) -> None:
        handler.start_stream()
        try:
            while True:
                handler.piece("x" * 4096)
                time.sleep(0.01)
        except OSError:  # the other side hung up
            closed.set()

    seen = []
    with serving(endless, says(LEFT)) as server:
        backend = connect(server)
        [reply] = backend.answer([question()], lambda _, text: seen.append(text), lambda: len(seen) >= 3)
        assert reply.finish is Finish.CANCELED
        assert reply.text.startswith(seen[-1])
        assert len(reply.text) <= len(seen[-1]) + 4096
        assert closed.wait(5)
        assert backend.answer([question()])[0].text == LEFT


@pytest.mark.parametrize("pause", [False, True])
def test_cancel_waits_neither_for_a_silent_server_nor_for_a_pause_between_tries(connect, pause):
    over = threading.Event()
    step = fails(503, "no") if pause else lambda handler: over.wait(10)
    with serving(step) as server:
        start = time.monotonic()
        backend = connect(server, first_delay=30.0, longest_delay=30.0)
        [reply] = backend.answer([question()], is_canceled=lambda: time.monotonic() - start > 0.2)
        took = time.monotonic() - start
        over.set()
    assert reply.finish is Finish.CANCELED
    assert took < 1.0


def test_what_was_finished_before_a_cancel_is_kept(connect):
    over = threading.Event()
    finished = []

    def told(index: int, text: str) -> None:
        if text == LEFT:
            finished.append(index)

    with serving(says(LEFT), lambda handler: over.wait(10)) as server:
        start = time.monotonic()
        replies = connect(server, parallel=1).answer(
            [question(), question()], told, lambda: bool(finished) and time.monotonic() - start > 0.3
        )
        over.set()
    assert [reply.finish for reply in replies] == [Finish.STOP, Finish.CANCELED]


def test_an_error_of_the_caller_stays_its_own(connect):
    def fault(index: int, text: str) -> None:
        raise ValueError(f"{index} {text}")

    with serving(says(LEFT)) as server:
        backend = connect(server)
        with pytest.raises(ValueError, match="0"):
            backend.answer([question()], fault)
        assert backend.answer([question()])[0].text == LEFT
