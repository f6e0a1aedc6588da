"""A real server on loopback: ``transformers serve`` with two small Qwen3-VL folders, one random, one that learned a word."""

import json
import threading
import time
from importlib.util import find_spec

import numpy as np
import pytest

from joyai_ros.settings import build
from joyai_ros.understanding.backend import Finish, ModelError, ModelRequest, Sampling
from joyai_ros.understanding.config import RemoteConfig
from joyai_ros.understanding.formats import Choice, Text
from joyai_ros.understanding.remote import RemoteBackend

pytest.importorskip("torch", reason="the server runs a network")
if find_spec("uvicorn") is None or find_spec("fastapi") is None:
    pytest.skip("transformers serve needs fastapi and uvicorn", allow_module_level=True)

from benchmarks.small_model import write_small_model
from tests.understanding.parrot import write_parrot
from tests.understanding.serve_model import ModelServer

DRAW = np.random.default_rng(4)
LEFT = '{"answer": "left"}'
SIDE = Choice(("left", "right"))
LONG = 400  # tokens; the random model never stops by itself, and takes seconds for so many


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {"random": write_small_model(root / "random"), "parrot": write_parrot(root / "parrot", LEFT)}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ModelServer(tmp_path_factory.mktemp("server") / "log.txt")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def connect(server, folders):
    made = []

    def make(folder, **settings):
        given = {"url": server.url, "model": str(folders[folder]), "first_delay": 0.05, **settings}
        made.append(RemoteBackend(build(RemoteConfig, given), folder))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def question(prompt="where is the cup", wanted=SIDE, sizes=((64, 96),), **more):
    images = tuple(DRAW.integers(0, 255, (*size, 3), np.uint8) for size in sizes)
    return ModelRequest(images, prompt, wanted, **more)


def test_a_choice_is_answered_though_this_server_holds_no_schema(connect):
    [reply] = connect("parrot").answer([question()])
    assert (reply.text, reply.finish) == (LEFT, Finish.STOP)
    assert 0 < reply.tokens < 30
    assert reply.token_logprobs is None, "this server gives none"


def test_several_images_of_several_sizes_and_several_questions(connect):
    requests = [
        question(sizes=((64, 96), (1, 1), (200, 40))),
        question("is the cup left"),
        question(sizes=((700, 900),)),
    ]
    replies = connect("parrot").answer(requests)
    assert [reply.finish for reply in replies] == [Finish.STOP] * 3
    assert replies[0].text == replies[1].text == LEFT


def test_sampling_works_though_this_server_refuses_top_k(connect):
    """It answers 422 to fields that it does not know; those are left out."""
    [reply] = connect("parrot").answer([question(sampling=Sampling(temperature=0.1, seed=3))])
    assert reply.text == LEFT


def test_free_text_is_streamed(connect):
    seen = []
    request = question(wanted=Text(), max_tokens=24)
    [reply] = connect("random").answer([request], lambda index, text: seen.append((index, text)))
    assert reply.finish is Finish.LENGTH
    assert reply.tokens == 24
    assert len(seen) > 1  # more than one piece; how many, the random model decides
    assert seen[-1] == (0, reply.text)


def test_greedy_answers_are_the_same_again(connect):
    backend, request = connect("random"), question(wanted=Text(), max_tokens=16)
    assert backend.answer([request]) == backend.answer([request])


def test_a_random_model_cannot_keep_to_a_choice(connect):
    """It runs into the limit of tokens, or says something else: never is it taken for an answer."""
    backend = connect("random")
    try:
        [reply] = backend.answer([question(max_tokens=12)])
        assert reply.finish is Finish.LENGTH
    except ModelError as error:
        assert "does not keep to the answer's format" in str(error)


def test_cancel_frees_the_server_within_a_token(connect):
    backend, seen = connect("random"), []
    connect("parrot").answer([question()])  # loads it
    request = question(wanted=Text(), max_tokens=20 * LONG)
    [reply] = backend.answer([request], lambda _, text: seen.append(text), lambda: len(seen) >= 2)
    assert reply.finish is Finish.CANCELED
    assert len(seen) == 2
    start = time.monotonic()
    [reply] = backend.answer([question(wanted=Text(), max_tokens=4)])
    assert reply.tokens == 4
    assert time.monotonic() - start < 10, "the canceled answer would have taken longer than this"


def test_killed_in_mid_answer(connect, server):
    backend = connect("random", retries=1)
    streaming, errors = threading.Event(), []

    def ask():
        try:
            backend.answer([question(wanted=Text(), max_tokens=20 * LONG)], lambda _, text: streaming.set())
        except ModelError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    assert streaming.wait(60)
    server.kill()
    thread.join(20)
    assert len(errors) == 1
    assert server.url in errors[0]
    assert "broke off after" in errors[0]
    assert "ask again when it is back" in errors[0]
    with pytest.raises(ModelError, match=r"no model server answers at .*start it"):
        backend.answer([question(wanted=Text(), max_tokens=4)])
    server.start()
    [reply] = backend.answer([question(wanted=Text(), max_tokens=4)])
    assert reply.tokens == 4
    assert json.loads(connect("parrot").answer([question()])[0].text) == {"answer": "left"}


def test_a_folder_that_the_server_does_not_have(connect):
    backend = connect("parrot", model="no/such-model", retries=1)
    with pytest.raises(ModelError, match=r"the model server at http://127.0.0.1:\d+/v1"):
        backend.answer([question()])
