"""The feedback network: shapes, the single key, tokens in any order, and that it learns what can be learnt."""

import numpy as np
import pytest
import torch
from torch import nn

from personalab.vptt.feedback import model


def planted(n: int, seed: int, d: int = 8, weights: np.ndarray | None = None) -> model.Pairs:
    """Random unit vectors; the label is 1 where a fixed direction of the prompt is positive, else 0."""
    rng = np.random.default_rng(seed)
    prompts = rng.normal(size=(n, d))
    prompts /= np.linalg.norm(prompts, axis=1, keepdims=True)
    labels = (prompts[:, 0] + prompts[:, 1] > 0).astype(float)
    return model.Pairs(rng.normal(size=(5, 1, d)) / d**0.5, rng.integers(5, size=n), prompts, labels)


@pytest.mark.parametrize(("asks", "keys"), [("profile", 1), ("prompt", 7)])
def test_shapes_and_range(asks, keys):
    net = model.FeedbackNet(16, asks)
    scores, weights = net.attend(torch.randn(3, 7, 16), torch.randn(3, 16))
    assert scores.shape == (3,) and ((scores > 0) & (scores < 1)).all()
    assert weights.shape == (3, 4, 7 if asks == "profile" else 1, keys)


def test_a_single_key_has_weight_one_whatever_the_profile():
    net = model.FeedbackNet(16).eval()
    _, weights = net.attend(torch.randn(5, 1, 16), torch.randn(5, 16))
    assert (weights == 1).all()


def test_with_a_single_key_attention_is_a_linear_map_of_the_prompt():
    """softmax over one key is 1, so attention = W_o (W_v p + b_v) + b_o, computed here without any query."""
    net = model.FeedbackNet(16).eval()
    query, prompt = torch.randn(5, 1, 128), torch.randn(5, 1, 128)
    got, _ = net.attention(query, prompt, prompt)
    value = nn.functional.linear(prompt, net.attention.in_proj_weight[256:], net.attention.in_proj_bias[256:])
    torch.testing.assert_close(got, net.attention.out_proj(value))


def test_query_and_key_weights_never_learn_as_printed_and_do_when_the_prompt_asks():
    for asks, learns in (("profile", False), ("prompt", True)):
        net = model.FeedbackNet(16, asks).eval()
        net(torch.randn(4, 3, 16), torch.randn(4, 16)).sum().backward()
        gradient = net.attention.in_proj_weight.grad[:256].abs().max()
        assert (gradient > 1e-8) == learns


def test_gradient_reaches_both_sides():
    for asks in ("profile", "prompt"):
        profile, prompt = torch.randn(4, 3, 16, requires_grad=True), torch.randn(4, 16, requires_grad=True)
        model.FeedbackNet(16, asks).eval()(profile, prompt).sum().backward()
        assert (profile.grad.abs().amax((1, 2)) > 0).all() and (prompt.grad.abs().amax(1) > 0).all()


@pytest.mark.parametrize("asks", ["profile", "prompt"])
def test_the_order_of_a_profiles_vectors_does_not_matter(asks):
    net = model.FeedbackNet(16, asks).eval()
    profile, prompt = torch.randn(4, 6, 16), torch.randn(4, 16)
    torch.testing.assert_close(net(profile, prompt), net(profile[:, [3, 1, 5, 0, 2, 4]], prompt))


def test_layer_sizes_are_the_papers():
    net = model.FeedbackNet(1536)
    linear = [tuple(x.weight.shape) for x in net.modules() if type(x) is nn.Linear]
    assert linear == [(128, 1536), (128, 1536), (256, 128), (128, 256), (128, 256), (64, 128), (1, 64)]
    assert net.attention.num_heads == 4 and {x.p for x in net.modules() if isinstance(x, nn.Dropout)} == {0.2}


def test_an_unknown_direction_is_an_error():
    with pytest.raises(ValueError, match="'both'"):
        model.FeedbackNet(16, "both")


def test_a_planted_linear_task_is_learnt_and_unseen_examples_are_right():
    trained = model.train(planted(800, 0), planted(200, 1), seed=0, epochs=40)
    test = planted(500, 2)
    assert ((model.scores(trained.net, test) > 0.5) == (test.labels > 0.5)).mean() > 0.93


def test_same_seed_same_bytes_another_seed_others_and_the_callers_state_is_left_alone():
    a, b = planted(200, 0), planted(50, 1)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    runs = [model.train(a, b, seed=s, epochs=3) for s in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    out = [model.scores(run.net, b).tobytes() for run in runs]
    assert out[0] == out[1] != out[2]


def test_the_best_epoch_is_kept_and_training_stops_after_patience():
    a, b = planted(200, 0), planted(50, 1)
    b = b._replace(labels=1 - b.labels)  # what is learnt is wrong there
    trained = model.train(a, b, seed=0, patience=2, epochs=60)
    assert len(trained.losses) == trained.best + 3 < 60
    assert trained.losses[:, 1].argmin() == trained.best
    assert np.mean((model.scores(trained.net, b) - b.labels) ** 2) == pytest.approx(
        trained.losses[trained.best, 1]
    )


def test_nothing_to_train_on_is_an_error():
    a = planted(10, 0)
    with pytest.raises(ValueError, match="0 validation"):
        model.train(a, a.pick(np.zeros(10, bool)), seed=0)


def test_centring_takes_only_the_rows_that_may_be_seen():
    x = np.random.default_rng(0).normal(size=(6, 2, 4))
    seen = np.array([1, 1, 1, 0, 0, 0], bool)
    got, changed = model.centred(x, seen), x.copy()
    changed[5] += 9
    np.testing.assert_allclose(np.linalg.norm(got, axis=-1), 1)
    np.testing.assert_array_equal(got[:5], model.centred(changed, seen)[:5])
