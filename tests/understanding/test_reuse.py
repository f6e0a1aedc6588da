"""Once per frame: what is remembered is used exactly, for the right images, and is bounded."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the model runs on torch")

import torch

from benchmarks.ask_reuse import give_vision_positions
from benchmarks.small_model import full_config
from joyai_ros.models.shapes import meta_model
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.config import LocalSettings
from joyai_ros.understanding.formats import Choice, Text
from joyai_ros.understanding.local import LocalBackend
from joyai_ros.understanding.network import Network

DRAW = np.random.default_rng(9)
FRAME = DRAW.integers(0, 255, (448, 448, 3)).astype(np.uint8)
QUESTIONS = [f"question {number}: what is {'far ' * number}left of the cup?" for number in range(8)]


@pytest.fixture
def backend(small_folder):
    return LocalBackend("small", small_folder, LocalSettings(batch=1, frames=2))


def ask(question, *images, **more):
    return ModelRequest(images, question, Text(40), max_tokens=16, **more)


def count_calls(backend, name):
    calls = []
    backend._network.model.get_submodule(name).register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_eight_questions_are_answered_as_by_eight_fresh_runs(backend):
    reused = backend.answer([ask(question, FRAME) for question in QUESTIONS])
    fresh = []
    for question in QUESTIONS:
        backend.forget()
        fresh += backend.answer([ask(question, FRAME)])
    assert reused == fresh, "token by token, with the same probabilities"
    assert all(reply.tokens == 16 for reply in fresh)


def test_answers_are_those_of_the_stock_model_in_one_pass(backend, monkeypatch):
    """Against transformers' own forward pass over the whole prompt, without prefix, cache or mask."""
    from PIL import Image

    rows = []
    decoder = backend._decoder
    monkeypatch.setattr(decoder, "reply", lambda row: rows.append(row) or type(decoder).reply(decoder, row))
    for images in ([FRAME], [FRAME, FRAME[:96, :200]]):
        reply = backend.answer([ask("what is it?", *images, system="be brief")])[0]
        stock, processor = backend._network.model, backend._processor
        content = [{"type": "image"}] * len(images) + [{"type": "text", "text": "what is it?"}]
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": content}]
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pictures = [Image.fromarray(image) for image in images]
        inputs = processor(text=[text], images=pictures, return_tensors="pt")
        answer = decoder.row(0, (), Text(40), 16, None)
        tokens, forced = rows[-1].tokens, len(answer.tokens)
        ids = torch.cat([inputs["input_ids"], torch.tensor([tokens])], dim=1)
        kinds = torch.nn.functional.pad(inputs["mm_token_type_ids"], (0, len(tokens)))
        with torch.inference_mode():
            rest = {key: inputs[key] for key in ("pixel_values", "image_grid_thw")}
            logits = stock(input_ids=ids, mm_token_type_ids=kinds, **rest).logits[0, -len(tokens) - 1 :]
        assert 3 <= forced < 12, "the answer's frame"
        for row in logits[forced:-1]:
            answer.choose(row.float())
        assert answer.tokens == tokens
        assert answer.logprobs == pytest.approx(reply.token_logprobs, abs=2e-4)


def test_a_frame_is_looked_at_once(backend):
    looks, prefixes = count_calls(backend, "model.visual"), count_calls(backend, "model.language_model")
    passes = count_calls(backend, "lm_head")
    backend.answer([ask(question, FRAME) for question in QUESTIONS])
    assert len(looks) == len(prefixes) == 1
    each = len(passes) // 8  # as many passes as tokens are chosen
    assert len(passes) == 8 * each and each < 16
    backend.answer([ask("another time", FRAME.copy())])
    assert len(looks) == len(prefixes) == 1, "the same pixels elsewhere in memory are the same frame"
    backend.answer([ask("with a system text", FRAME, system="be brief")])
    assert len(looks) == 1 and len(prefixes) == 2, "its features serve another prefix"
    assert len(passes) == 10 * each


def test_one_pixel_makes_another_image(backend):
    looks = count_calls(backend, "model.visual")
    changed = FRAME.copy()
    changed[447, 447, 2] ^= 1
    turned = np.ascontiguousarray(FRAME[:224].reshape(448, 224, 3))
    backend.answer([ask("what?", image) for image in (FRAME, changed, FRAME[:224], turned)])
    assert len(looks) == 4


def test_what_is_remembered_is_bounded(backend):
    looks = count_calls(backend, "model.visual")
    for _ in range(2):
        for number in range(40):
            backend.answer([ModelRequest((np.full((64, 64, 3), number, np.uint8),), "what?", Choice(("a", "b")))])
    assert len(looks) == 80
    assert len(backend._memory.prefixes) == 2 and len(backend._memory.features) == 32


def test_an_answer_leaves_the_prefix_as_it_was(backend):
    backend.answer([ask("first", FRAME)])
    (prefix,) = backend._memory.prefixes._held.values()
    before = [(keys.clone(), values.clone()) for keys, values in prefix.layers]
    backend.answer([ask(question, FRAME) for question in QUESTIONS])
    for (keys, values), (old_keys, old_values) in zip(prefix.layers, before, strict=True):
        assert torch.equal(keys, old_keys) and torch.equal(values, old_values)


def test_weights_that_questions_multiply_together_are_held_once(backend):
    weights = list(backend._network.model.parameters())
    held = {weight.untyped_storage().data_ptr(): weight.untyped_storage().nbytes() for weight in weights}
    attention = backend._network.model.model.language_model.layers[0].self_attn
    assert len({part.weight.untyped_storage().data_ptr() for part in (attention.q_proj, attention.v_proj)}) == 1
    assert sum(held.values()) == sum(weight.nbytes for weight in weights)


def test_batched_questions_of_every_length_are_answered_as_one_by_one(small_folder, backend):
    together = LocalBackend("small", small_folder, LocalSettings(batch=8))
    requests = [ask(question, FRAME) for question in QUESTIONS]
    assert [reply.text for reply in together.answer(requests)] == [reply.text for reply in backend.answer(requests)]


def test_shapes_of_all_passes(backend):
    check_passes(backend._network)


def test_shapes_of_all_passes_at_full_size():
    """Qwen3-VL-8B without its weights: 17.5 GB that are not there, through the same passes."""
    network = Network(meta_model(full_config()))
    give_vision_positions(network.model.model)
    check_passes(network)


def check_passes(network):
    """A 448 px frame, two questions, one token: every result has the shape that the configuration asks for."""
    config, device = network.model.config, network.device
    text, vision = config.text_config, config.vision_config
    grid = torch.tensor([[1, 28, 28]])
    values = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    with torch.inference_mode():
        (features,) = network.features(torch.zeros(784, values), grid)
        assert network.image_tokens(grid) == 196
        assert features.merged.shape == (196, text.hidden_size)
        assert [tuple(deep.shape) for deep in features.deep] == [(196, text.hidden_size)] * len(
            vision.deepstack_visual_indexes
        )
        prefix = network.prefix([1, *[config.image_token_id] * 196, 2, 3, 4], [features])
        assert (prefix.length, len(prefix.layers)) == (200, text.num_hidden_layers)
        for keys, kept in prefix.layers:
            assert keys.shape == kept.shape == (1, text.num_key_value_heads, 200, text.head_dim)
        cache = network.branch([prefix] * 2, 40)
        ids = torch.zeros((2, 30), dtype=torch.long, device=device)
        logits = network.extend(cache, ids, ids, torch.ones((2, 230), dtype=torch.long, device=device))
        assert logits.shape == (2, network.vocabulary) == (2, text.vocab_size)
        logits = network.extend(cache, ids[:, :1], ids[:, :1], None)
        assert logits.shape == (2, text.vocab_size) and cache.get_seq_length() == 231
