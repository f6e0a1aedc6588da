"""The training loop: what it computes, and that nothing that happens to a run changes its result."""

import dataclasses
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch

from joyai_ros.errors import ConfigError, InputError, OutputError
from joyai_ros.training.loop import Decay, DivergedError, LoopSettings, Precision, StoppedError, train
from joyai_ros.training.metrics import read_metrics

SETTINGS = LoopSettings(
    steps=12, accumulation=2, learning_rate=0.02, warmup=3, weight_decay=0.1, save_every=4, log_every=3, seed=5
)


class Net(torch.nn.Module):
    """With dropout, a tied weight and a frozen one."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(6, width)
        self.frozen = torch.nn.Linear(width, width).requires_grad_(False)
        self.drop = torch.nn.Dropout(0.2)
        self.last = torch.nn.Linear(width, width, bias=False)
        self.tied = torch.nn.Linear(width, width, bias=False)
        self.tied.weight = self.last.weight

    def forward(self, x):
        hidden = self.drop(torch.tanh(self.frozen(self.first(x))))
        return self.tied(self.last(hidden)).mean(-1, keepdim=True)


class Line:
    """Learns a linear function; ``at`` is called before each batch with (step, part)."""

    def __init__(self, at=None, rows: int = 4) -> None:
        self.module = Net()
        self.at, self.rows, self.types = at, rows, set()

    def groups(self):
        return [{"params": [*self.module.first.parameters()]}, {"params": [self.module.last.weight], "scale": 0.1}]

    def batch(self, step, part):
        if self.at is not None:
            self.at(step, part)
        x = torch.randn(self.rows, 6, generator=torch.Generator().manual_seed(100 * step + part))
        return x, x.sum(-1, keepdim=True)

    def loss(self, batch, generator):
        x, y = batch
        noisy = x + 0.1 * torch.randn(x.shape, generator=generator)
        out = self.module(noisy)
        self.types.add(out.dtype)
        loss = (out.float() - y).square().mean()
        return loss, {"error": float(loss.detach()) ** 0.5}


def weights(learner):
    return {name: value.clone() for name, value in learner.module.state_dict().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to."""
    learner, run = Line(), tmp_path_factory.mktemp("whole")
    return train(learner, SETTINGS, run), weights(learner), run


def same(trained, learner, run, whole):
    wanted, tensors, wanted_run = whole
    assert trained.steps == 12
    assert abs(trained.loss - wanted.loss) <= 1e-6
    for name, tensor in weights(learner).items():
        assert torch.allclose(tensor, tensors[name], atol=1e-7, rtol=0), name
    lines, wanted_lines = (
        [{k: v for k, v in line.items() if k != "seconds"} for line in read_metrics(r)] for r in (run, wanted_run)
    )
    assert [line["step"] for line in lines] == [3, 6, 9, 12]
    for line, other in zip(lines, wanted_lines, strict=True):
        assert line == pytest.approx(other, abs=1e-6)


def test_it_learns_and_logs(whole):
    trained, _, run = whole
    lines = read_metrics(run)
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]
    assert set(lines[0]) == {"step", "loss", "error", "rate", "gradient", "seconds"}
    assert trained.figures["error"] > 0 and trained.resumed_from == 0
    assert sorted(path.name for path in (run / "checkpoint").iterdir()) == [
        "model.safetensors",
        "optimizer.pt",
        "state.json",
    ]
    assert not list(run.glob("*.partial")) and not list(run.glob("*.old"))


def test_tensorboard_gets_the_same(whole):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(whole[2] / "tensorboard"))
    found.Reload()
    assert [event.step for event in found.Scalars("loss")] == [3, 6, 9, 12]
    assert found.Scalars("loss")[-1].value == pytest.approx(read_metrics(whole[2])[-1]["loss"], rel=1e-5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", [(0, 0), (2, 1), (4, 0), (7, 1), (11, 0)])
def test_interrupted_anywhere_it_goes_on_to_the_same_loss(number, place, whole, tmp_path):
    def at(step, part):
        if (step, part) == place:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    steps = place[0] + place[1]  # the last part of a step is no place to throw the step away
    with pytest.raises(StoppedError, match=rf"after step {steps} of 12; .*the same command goes on"):
        train(Line(at), SETTINGS, tmp_path)
    assert signal.getsignal(number) is before
    learner = Line()
    again = train(learner, SETTINGS, tmp_path)
    same(again, learner, tmp_path, whole)


def test_a_killed_run_goes_back_to_its_last_checkpoint(whole, tmp_path):
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.training.test_loop import Line, SETTINGS\nfrom joyai_ros.training.loop import train\n"
        "def at(step, part):\n    step == 6 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "train(Line(at), SETTINGS, Path(sys.argv[1]))\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script, tmp_path], env=environment, cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [line["step"] for line in read_metrics(tmp_path)] == [3, 6]  # the second is of after the checkpoint
    learner = Line()
    again = train(learner, SETTINGS, tmp_path)
    assert again.resumed_from == 4
    same(again, learner, tmp_path, whole)


def test_killed_while_one_checkpoint_takes_the_place_of_another(whole, tmp_path):
    def at(step, part):
        if step == 6:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(Line(at), SETTINGS, tmp_path)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.partial").mkdir()
    (tmp_path / "checkpoint.partial" / "state.json").write_text("{")
    learner = Line()
    again = train(learner, SETTINGS, tmp_path)
    assert again.resumed_from == 4
    same(again, learner, tmp_path, whole)
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.old"))


def test_a_finished_run_is_not_done_again(whole):
    again = train(Line(), SETTINGS, whole[2])
    assert (again.steps, again.loss, again.resumed_from) == (12, whole[0].loss, 12)


@pytest.mark.parametrize("limit", [200, 2500])
def test_a_full_disk_leaves_the_last_checkpoint(limit, whole, tmp_path):
    """Files cannot grow beyond a limit: first the weights do not fit, then the optimiser."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def at(step, part):
        if step == 7 and part == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

    settings = dataclasses.replace(SETTINGS, log_every=12)
    try:
        with pytest.raises(OutputError, match=r"the last checkpoint stands in .*make room"):
            train(Line(at), settings, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["progress"]["step"] == 4
    assert not list(tmp_path.glob("*.partial"))
    learner = Line()
    again = train(learner, SETTINGS, tmp_path)
    assert again.resumed_from == 4 and abs(again.loss - whole[0].loss) <= 1e-6


@pytest.mark.parametrize("planted", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(planted, tmp_path):
    class Broken(Line):
        def loss(self, batch, generator):
            loss, figures = super().loss(batch, generator)
            return (loss * planted if self.now == 5 else loss), figures

        def batch(self, step, part):
            self.now = step
            return super().batch(step, part)

    with pytest.raises(DivergedError, match=f"at step 6 the loss is {planted}.*checkpoint.*stands"):
        train(Broken(), SETTINGS, tmp_path)
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["progress"]["step"] == 4


def test_a_gradient_that_is_no_number_is_an_error(tmp_path):
    class Steep(Line):
        def loss(self, batch, generator):
            loss, figures = super().loss(batch, generator)
            return loss + (self.module.first.bias * 0).abs().sqrt().sum(), figures  # 0, and infinitely steep

    with pytest.raises(DivergedError, match="gradient's norm is"):
        train(Steep(), SETTINGS, tmp_path)


def test_accumulated_parts_are_one_batch(tmp_path):
    class Exact(Line):
        def __init__(self, parts):
            super().__init__()
            self.parts = parts

        def batch(self, step, part):
            x, y = zip(
                *(super(Exact, self).batch(step, p) for p in ([part] if self.parts > 1 else range(4))), strict=True
            )
            return torch.cat(x), torch.cat(y)

        def loss(self, batch, generator):
            self.module.eval()
            return (self.module(batch[0]) - batch[1]).square().mean(), {}

    results = []
    for parts in (1, 4):
        learner = Exact(parts)
        train(learner, dataclasses.replace(SETTINGS, accumulation=parts, steps=5), tmp_path / str(parts))
        results.append(weights(learner))
    for name in results[0]:
        assert torch.allclose(results[0][name], results[1][name], atol=1e-6), name


def test_what_is_frozen_stays_and_groups_have_their_rate(whole, tmp_path):
    fresh = weights(Line())
    assert torch.equal(whole[1]["frozen.weight"], fresh["frozen.weight"])
    learner = Line()
    one = dataclasses.replace(SETTINGS, steps=1, warmup=0, weight_decay=0.0, clip=0.0)
    train(learner, one, tmp_path)
    moved = weights(learner)
    # The first step of Adam is the learning rate, whatever the gradient.
    assert (moved["first.weight"] - fresh["first.weight"]).abs().max() == pytest.approx(0.02, rel=1e-3)
    assert (moved["last.weight"] - fresh["last.weight"]).abs().max() == pytest.approx(0.002, rel=1e-3)


def test_forward_passes_in_bf16_and_weights_in_float32(tmp_path):
    learner = Line()
    train(learner, dataclasses.replace(SETTINGS, precision=Precision.BF16, steps=2), tmp_path)
    assert learner.types == {torch.bfloat16}
    assert {value.dtype for value in learner.module.parameters()} == {torch.float32}


def test_the_learning_rate_rises_and_falls():
    rates = [SETTINGS.rate(step) for step in range(13)]
    assert rates[:3] == pytest.approx([0.02 / 3, 0.04 / 3, 0.02]) and max(rates) == 0.02
    assert rates[3:] == sorted(rates[3:], reverse=True) and rates[12] == pytest.approx(0.0, abs=1e-12)
    assert dataclasses.replace(SETTINGS, decay=Decay.CONSTANT).rate(11) == 0.02


def test_a_checkpoint_of_another_run_is_refused(whole, tmp_path):
    run = whole[2]
    with pytest.raises(ConfigError, match=r"of another run: loop\.learning_rate was 0\.02 and is 0\.5"):
        train(Line(), dataclasses.replace(SETTINGS, learning_rate=0.5), run)
    with pytest.raises(ConfigError, match="data was None and is 'other'"):
        train(Line(), SETTINGS, run, identity={"data": "other"})


def test_more_steps_go_on_from_the_end(whole, tmp_path):
    settings = dataclasses.replace(SETTINGS, decay=Decay.CONSTANT)
    train(Line(), dataclasses.replace(settings, steps=7), tmp_path / "run")
    learner, other = Line(), Line()
    longer = train(learner, settings, tmp_path / "run")
    at_once = train(other, settings, tmp_path / "at_once")
    assert longer.resumed_from == 7 and abs(longer.loss - at_once.loss) <= 1e-6


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "state.json"])
def test_a_damaged_checkpoint_is_said_to_be_one(name, tmp_path):
    train(Line(), dataclasses.replace(SETTINGS, steps=4), tmp_path)
    path = tmp_path / "checkpoint" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"cannot be used .*remove it"):
        train(Line(), SETTINGS, tmp_path)


def test_a_model_of_another_shape_is_refused(tmp_path):
    train(Line(), dataclasses.replace(SETTINGS, steps=4), tmp_path)
    learner = Line()
    learner.module = Net(width=10)
    with pytest.raises(InputError, match="cannot be used"):
        train(learner, SETTINGS, tmp_path)


def test_nothing_to_train_is_an_error(tmp_path):
    learner = Line()
    learner.module.requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        train(learner, SETTINGS, tmp_path)


def test_what_others_draw_is_not_changed(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train(Line(), dataclasses.replace(SETTINGS, steps=1), tmp_path)
    first = torch.rand(4)
    # Making the net draws too, from seed 0; so compare with the same without training.
    torch.manual_seed(3)
    Line()
    assert torch.equal(first, torch.rand(4)) and expected.shape == first.shape
