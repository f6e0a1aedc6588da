"""Packs: what is packed is learned as if each document stood alone."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.errors import ConfigError, InputError
from joyai_ros.imagination.mmdit.conditioning import DROPPED_TOKENS, SYSTEM
from joyai_ros.training.mllm.attention import pack_attention
from joyai_ros.training.mllm.documents import Encoder, positions_of
from joyai_ros.training.mllm.learner import shown_loss, token_loss
from joyai_ros.training.mllm.mixture import Mixture, Pool
from joyai_ros.training.mllm.packing import pack
from joyai_ros.training.tokenizer import scratch_processor
from joyai_ros.understanding.prompts import SYSTEM as QUESTION_SYSTEM
from tests.training.packs import GLANCE, SAMPLES, Noise, config, fresh, image, outputs, pools


@pytest.fixture(scope="module")
def small():
    model, processor = fresh()
    # Larger weights: differences show.
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(2.0)
    return model.eval(), processor


@pytest.fixture(scope="module")
def encoder(small):
    return Encoder(small[1], Noise(), 4096)


def losses(model, documents):
    """Sums over the tokens of answers and of what is shown."""
    batch = pack(documents)
    seen = None
    if batch.patches is not None:
        seen = model.model.visual(batch.patches, grid_thw=batch.grids).pooler_output
    answers = token_loss(outputs(model, batch).logits, batch.wanted) * len(batch.wanted)
    return answers, shown_loss(model, seen, batch) * len(batch.shown)


def test_the_loss_of_a_pack_is_that_of_its_documents(small, encoder):
    model = small[0]
    pack_attention(model)
    documents = [encoder.encode(sample) for sample in SAMPLES]
    with torch.no_grad():
        together = losses(model, documents)
        alone = [losses(model, [document]) for document in documents]
    for number in (0, 1):
        assert together[number].item() == pytest.approx(sum(each[number].item() for each in alone), rel=1e-5)
    assert together[0].item() / 30 > 1.0 and together[1].item() > 1.0


def test_gradients_of_a_pack_are_those_of_its_documents(small, encoder):
    model = small[0]
    pack_attention(model)
    documents = [encoder.encode(sample) for sample in SAMPLES]

    def gradients(groups):
        model.zero_grad()
        for group in groups:
            sum(losses(model, group)).backward()
        return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}

    together, alone = gradients([documents]), gradients([[document] for document in documents])
    assert together.keys() == alone.keys() and any("visual" in name for name in together)
    for name in together:
        assert torch.allclose(together[name], alone[name], rtol=1e-3, atol=1e-5 * float(alone[name].abs().max())), name


def test_the_order_within_a_pack_does_not_matter(small, encoder):
    pack_attention(small[0])
    documents = [encoder.encode(sample) for sample in SAMPLES]
    with torch.no_grad():
        one, other = losses(small[0], documents)[0], losses(small[0], documents[::-1])[0]
    assert one.item() == pytest.approx(other.item(), rel=1e-5)


def test_it_is_transformers_own_attention_of_a_document(small, encoder):
    """The same document through the stock model, with its own positions and mask."""
    model = small[0]
    for sample in SAMPLES:
        document = encoder.encode(sample)
        batch = pack([document])
        pack_attention(model)
        with torch.no_grad():
            ours = outputs(model, batch).logits
            model.model.language_model.config._attn_implementation = "sdpa"
            images = {"pixel_values": batch.patches, "image_grid_thw": batch.grids} if batch.patches is not None else {}
            kinds = (document.tokens == model.config.image_token_id).int()[None]
            stock = model(input_ids=document.tokens[None], mm_token_type_ids=kinds, **images).logits
        assert torch.allclose(ours, stock[:, batch.before], atol=1e-4)


def test_transformers_masks_keep_documents_apart_as_well(small, encoder):
    """For attention that is not ours: four rows of positions are all that it needs."""
    model, batch = small[0], pack([encoder.encode(sample) for sample in SAMPLES])
    pack_attention(model)
    with torch.no_grad():
        ours = outputs(model, batch).logits
        model.model.language_model.config._attn_implementation = "sdpa"
        theirs = outputs(model, batch).logits
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_only_what_the_model_says_is_learned(small, encoder):
    tokenizer = small[1].tokenizer
    for sample in SAMPLES:
        document = encoder.encode(sample)
        turns = [sample.answer, *(answer for _, answer in sample.more)]
        assert tokenizer.decode(document.wanted) == "".join(f"{text}<|im_end|>" for text in turns)
        assert torch.equal(document.tokens[document.before + 1], document.wanted)
    last = encoder.encode(SAMPLES[3])
    assert tokenizer.decode(last.shown) == "rm" and len(last.shows) == 2


def test_what_is_given_of_an_answer_stands_there_and_is_not_learned(small, encoder):
    said = dataclasses.replace(SAMPLES[2], answer="red mug box")
    given = dataclasses.replace(SAMPLES[2], given="red mug", answer=" box")
    whole, part = encoder.encode(said), encoder.encode(given)
    assert torch.equal(whole.tokens, part.tokens)
    assert torch.equal(whole.wanted[-len(part.wanted) :], part.wanted) and len(part.wanted) < len(whole.wanted)
    assert small[1].tokenizer.decode(part.wanted) == " box<|im_end|>"


def test_image_tokens_show_what_they_are_asked_to(small, encoder):
    tokenizer = small[1].tokenizer
    document = encoder.encode(GLANCE)
    assert len(document.wanted) == 0 and tokenizer.decode(document.shown) == "rmx"
    image_token = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    places = (document.tokens == image_token).nonzero()[:, 0].tolist()
    (_, rows, columns), (_, high, wide) = (document.grids // torch.tensor([1, 2, 2])).tolist()
    middle, second = rows // 2 * columns + columns // 2, rows * columns + (high // 2 + 1) * wide + wide // 2
    assert document.shows.tolist() == [places[middle], places[middle - 1], places[second]]
    with pytest.raises(InputError, match=r"no token ' a mug of tea'.*a model that lists"):
        encoder.encode(dataclasses.replace(GLANCE, images=(image(5, True, ((0, 0, " a mug of tea"),)),)))
    with pytest.raises(InputError, match=r"none beside its middle to show 'r'; set scratch\.patch lower"):
        encoder.encode(dataclasses.replace(GLANCE, images=(image(5, True, ((0, 9, "r"),)),)))
    with pytest.raises(InputError, match="the sample e has neither an answer nor anything that its images show"):
        encoder.encode(dataclasses.replace(GLANCE, images=(image(5),)))


def test_a_document_reads_like_a_conversation(small, encoder):
    text = small[1].tokenizer.decode(encoder.encode(SAMPLES[3]).tokens).replace("<|image_pad|>", "")
    assert text == (
        f"<|im_start|>system\n{QUESTION_SYSTEM}<|im_end|>\n<|im_start|>user\n<|vision_start|><|vision_end|>mug; box."
        "Which is nearer?<|im_end|>\n<|im_start|>assistant\nthe mug<|im_end|>\n<|im_start|>user\nAnd redder?<|im_end|>\n"
        "<|im_start|>assistant\nbox<|im_end|>"
    )


def test_positions_are_those_of_the_stock_model(small, encoder):
    for sample in SAMPLES:
        document = encoder.encode(sample)
        kinds = (document.tokens == small[0].config.image_token_id).int()[None]
        wanted, _ = small[0].model.get_rope_index(document.tokens[None], kinds, document.grids)
        assert torch.equal(document.positions[1:], wanted[:, 0])
        assert torch.equal(document.positions[0], torch.arange(len(document)))
    assert positions_of([5, 5, 5], 9, [], 2).tolist() == [[0, 1, 2]] * 4


def test_packs_follow_from_their_numbers_and_are_full(encoder):
    mixture = Mixture(config(tokens=2048), pools(), encoder)
    shares = []
    for step in range(10):
        one, again = ([document.tokens for document in mixture.documents(step, 1)] for _ in range(2))
        assert len(one) == len(again) and all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
        shares.append(sum(map(len, one)) / 2048)
    assert np.mean(shares) >= 0.95 and max(shares) <= 1.0
    assert len({tuple(mixture.documents(step, part)[0].tokens.tolist()) for step in (0, 1) for part in (0, 1, 2)}) > 1


def test_stages_have_mixtures_of_their_own(encoder):
    settings = config(
        tokens=4096,
        stages=[{"share": 1, "mix": {"texts": 1}}, {"share": 3, "mix": {"store/colours": 2, "counts": 1, "texts": 0}}],
        **{"loop.steps": 8},
    )
    mixture = Mixture(settings, pools(), encoder)
    kinds = {len(encoder.encode(sample)): sample.dataset for sample in SAMPLES}
    assert len(kinds) == 4
    for step in (0, 1):
        assert {kinds[len(document)] for document in mixture.documents(step, 0)} == {"texts"}
    found = [kinds[len(document)] for step in range(2, 8) for document in mixture.documents(step, 0)]
    assert set(found) == {"colours", "counts"}
    assert 1.2 < found.count("colours") / found.count("counts") < 4.0


def test_a_mixture_of_what_there_is_not(encoder):
    with pytest.raises(ConfigError, match=r"no dataset 'colors'; there are colours, .*store/texts"):
        Mixture(config(stages=[{"mix": {"colors": 1}}]), pools(), encoder)
    with pytest.raises(ConfigError, match="draws nothing"):
        Mixture(config(stages=[{"mix": {"colours": 0}}]), pools(), encoder)


def test_a_sample_that_is_longer_than_a_pack(encoder):
    long = dataclasses.replace(SAMPLES[2], prompt="mug " * 200)
    with pytest.raises(InputError, match=r"the sample c has \d+ tokens and a pack 128"):
        Mixture(config(tokens=128), [Pool("store", "texts", [long])], encoder).documents(0, 0)


def test_of_a_sample_that_is_too_long_the_last_turns_are_left_out(encoder):
    turns = tuple((f"mug {number} " * 20, "box") for number in range(6))
    long = dataclasses.replace(SAMPLES[2], more=turns)
    room = len(encoder.encode(dataclasses.replace(long, more=turns[:3])))
    assert room < len(encoder.encode(long))
    (found,) = Mixture(config(tokens=room), [Pool("store", "texts", [long])], encoder).documents(0, 0)
    assert len(found) == room, "half of them fit"


def test_the_tokenizer_has_the_drawing_pipelines_tokens(small):
    assert len(small[1].tokenizer(SYSTEM + "<|im_start|>").input_ids) == DROPPED_TOKENS
    with pytest.raises(ConfigError, match="larger vocabulary"):
        scratch_processor([], 300)
