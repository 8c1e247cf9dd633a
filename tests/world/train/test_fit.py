"""The training loop: closed forms of its schedule and first step, and stops that leave no trace."""

import json
import math
from copy import deepcopy

import pytest
import torch
from torch import nn

from personalab.world.train.fit import fit, read_log, schedule

pytestmark = pytest.mark.usefixtures("one_thread")


def new_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def step_of(model, stop_at: int | None = None):
    """Regression on a batch that depends on the step's number alone; fails at `stop_at`."""

    def step(i):
        if i == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(i))
        return (model(x) - x.sum(1, keepdim=True)).square().mean(), {"number": float(i)}

    return step


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_run_taken_up_again_ends_in_the_same_bits(tmp_path, average):
    options = {"steps": 30, "rate": 0.01, "every": 10, "average": average}
    model = new_model()
    undisturbed = fit(model, step_of(model), tmp_path / "whole", **options)
    stopped = new_model()
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, step_of(stopped, stop_at=17), tmp_path / "stopped", **options)
    assert torch.load(tmp_path / "stopped" / "checkpoint.pt", weights_only=True)["step"] == 10
    resumed = new_model()
    nn.init.zeros_(resumed[0].weight)  # the checkpoint decides
    best = fit(resumed, step_of(resumed), tmp_path / "stopped", **options)
    assert same(best, undisturbed) and same(resumed, model) and same(best, resumed) == (average == 0)


def test_a_finished_run_is_not_run_again(tmp_path):
    model = new_model()
    fit(model, step_of(model), tmp_path, steps=5, rate=0.01)
    again = new_model()
    fit(again, step_of(again, stop_at=0), tmp_path, steps=5, rate=0.01)
    assert same(model, again)


def test_schedule_in_closed_form():
    assert schedule(0, 1000) == pytest.approx(0.01) and schedule(49, 1000) == pytest.approx(0.5, rel=0.01)
    assert schedule(500, 1000) == pytest.approx(0.02 + 0.98 / 2)
    assert schedule(1000, 1000) == pytest.approx(0.02)
    assert schedule(99, 100_000) == pytest.approx(1, abs=1e-5)
    late = [schedule(i, 1000) for i in range(99, 1001)]
    assert late == sorted(late, reverse=True) and max(schedule(i, 300) for i in range(301)) <= 1


def test_the_first_step_in_closed_form(tmp_path):
    """AdamW moves a number by rate times the sign of its gradient; only matrices decay first."""
    model = new_model()
    start = deepcopy(model)
    step_of(start)(0)[0].backward()
    fit(model, step_of(model), tmp_path, steps=1, rate=0.5, decay=0.1)
    rate = 0.5 * schedule(0, 1)
    for p, q in zip(model.parameters(), start.parameters(), strict=True):
        shrunk = q * (1 - rate * 0.1) if q.ndim > 1 else q
        assert torch.allclose(p, shrunk - rate * q.grad.sign(), atol=1e-5)


def test_average_after_one_step_is_nine_tenths_new(tmp_path):
    model, start = new_model(), new_model()
    best = fit(model, step_of(model), tmp_path, steps=1, rate=0.5, average=0.999)
    for average, p, q in zip(best.parameters(), model.parameters(), start.parameters(), strict=True):
        assert torch.allclose(average, 0.1 * q + 0.9 * p, atol=1e-7)
    assert not any(p.requires_grad for p in best.parameters())


def test_frozen_parameters_stay(tmp_path):
    model, start = new_model(), new_model()
    model[0].requires_grad_(False)
    best = fit(model, step_of(model), tmp_path, steps=20, rate=0.05, average=0.5)
    assert same(model[0], start[0]) and same(best[0], start[0])
    assert not torch.equal(model[2].weight, start[2].weight)


def test_training_lowers_the_loss(tmp_path):
    model = new_model()
    before = step_of(model)(999)[0].item()
    fit(model, step_of(model), tmp_path, steps=300, rate=0.03)
    assert step_of(model)(999)[0].item() < before / 10


def test_the_log_counts_a_repeated_step_once(tmp_path):
    stopped = new_model()
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, step_of(stopped, stop_at=120), tmp_path, steps=160, rate=0.01, every=60)
    resumed = new_model()
    fit(resumed, step_of(resumed), tmp_path, steps=160, rate=0.01, every=60)
    lines = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [50, 100, 150, 160]
    stopped = new_model()
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, step_of(stopped, stop_at=110), tmp_path / "b", steps=160, rate=0.01, every=60)
    resumed = new_model()
    fit(resumed, step_of(resumed), tmp_path / "b", steps=160, rate=0.01, every=60)
    lines = [json.loads(line)["step"] for line in (tmp_path / "b" / "log.jsonl").read_text().splitlines()]
    found = read_log(tmp_path / "b")
    assert lines == [50, 100, 100, 150, 160] and [line["step"] for line in found] == [50, 100, 150, 160]
    assert all(math.isfinite(line["loss"]) and line["seconds"] >= 0 for line in found)


def test_logged_figures_are_running_means(tmp_path):
    """0.98 of the old and 0.02 of the new: for the numbers 0, 1, ... n that is n - 49 + 49 * 0.98 ** n."""
    model = new_model()
    fit(model, step_of(model), tmp_path, steps=50, rate=0.01)
    [line] = read_log(tmp_path)
    assert line["number"] == pytest.approx(49 - 49 + 49 * 0.98**49, abs=1e-4)


def test_each_checkpoint_is_shown(tmp_path):
    model, seen = new_model(), []
    best = fit(model, step_of(model), tmp_path, steps=25, rate=0.01, every=10, average=0.9,
               on_save=lambda shown, step: seen.append((shown, step)))  # fmt: skip
    assert [step for _, step in seen] == [10, 20, 25] and all(shown is best for shown, _ in seen)
    assert not (tmp_path / "checkpoint.part").exists()
