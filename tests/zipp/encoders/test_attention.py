"""The attention layer against PyG's GATv2Conv, numerical derivatives and a graph worked by hand."""

import math

import pytest
import torch
from bipartite import edge_index, of_lists, random_messages
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATv2Conv as Peer

from personalab.zipp.encoders.attention import GATv2Conv


def pair(d, channels, heads, chunk, dtype=torch.float64, seed=0):
    """Our layer and PyG's with the same weights, biases not zero."""
    torch.manual_seed(seed)
    ours = GATv2Conv((d, d), channels, heads, chunk=chunk).to(dtype)
    peer = Peer((d, d), channels, heads=heads, edge_dim=2, add_self_loops=False, concat=True).to(dtype)
    torch.nn.init.normal_(peer.bias)
    ours.load_state_dict(peer.state_dict())
    return ours, peer


def both(messages, n_subreddits, d=5, channels=3, heads=2, chunk=None, dtype=torch.float64):
    """(output, attention, gradients by name) of our layer and of PyG's for a random direction of the loss."""
    ours, peer = pair(d, channels, heads, chunk, dtype)
    rng = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(n, d, generator=rng, dtype=dtype).requires_grad_()
        for n in (n_subreddits, len(messages.indptr) - 1)
    ]
    features = messages.features.detach().clone().requires_grad_()
    direction = torch.randn(len(inputs[1]), channels * heads, generator=rng, dtype=dtype)

    def run(layer, call):
        out, attention = call()
        wanted = {"subreddits": inputs[0], "users": inputs[1], "features": features}
        wanted |= dict(layer.named_parameters())
        found = torch.autograd.grad(
            (out * direction).sum(), list(wanted.values()), allow_unused=True, materialize_grads=True
        )
        return {"out": out, "attention": attention} | dict(zip(wanted, found, strict=True))

    def call_peer():
        out, (_, attention) = peer(
            tuple(inputs), edge_index(messages), features, return_attention_weights=True
        )
        return out, attention

    return run(ours, lambda: ours(*inputs, messages._replace(features=features))), run(peer, call_peer)


@settings(max_examples=60, deadline=None)
@given(
    users=st.integers(1, 12),
    n_subreddits=st.integers(1, 8),
    most=st.integers(0, 9),
    heads=st.integers(1, 6),
    channels=st.integers(1, 4),
    chunk=st.sampled_from([1, 2, 3, 7, 1000, None]),
    seed=st.integers(0, 99),
)
def test_outputs_attention_and_all_gradients_are_pygs(
    users, n_subreddits, most, heads, channels, chunk, seed
):
    messages = random_messages(users, n_subreddits, most, seed)
    ours, peer = both(messages, n_subreddits, channels=channels, heads=heads, chunk=chunk)
    for name in peer:
        torch.testing.assert_close(
            ours[name], peer[name], rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_single_precision_is_pygs_to_rounding():
    messages = random_messages(300, 40, 30, dtype=torch.float32)
    ours, peer = both(messages, 40, d=16, channels=8, heads=4, chunk=64, dtype=torch.float32)
    for name in peer:
        scale = peer[name].detach().abs().max().item()
        torch.testing.assert_close(ours[name], peer[name], rtol=0, atol=2e-5 * max(scale, 1.0))


def test_derivatives_are_the_numerical_ones():
    messages = random_messages(4, 3, 4, seed=3)
    layer, _ = pair(3, 2, 2, chunk=3)
    inputs = [torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (3, 4)]
    features = messages.features.clone().requires_grad_()

    def outputs(subreddits, users, features, *_):
        return layer(subreddits, users, messages._replace(features=features))[0]

    assert torch.autograd.gradcheck(outputs, (*inputs, features, *layer.parameters()))


def test_four_nodes_by_hand():
    """Users 0 and 1, subreddits 0 and 1; user 0 is in both, user 1 in none; every vector has one number."""
    layer = GATv2Conv((1, 1), 1)
    values = {
        "lin_l.weight": 2.0,
        "lin_l.bias": 1.0,
        "lin_r.weight": -1.0,
        "lin_r.bias": 0.0,
        "att": 0.5,
        "bias": 10.0,
    }
    weights = {name: torch.full_like(layer.state_dict()[name], value) for name, value in values.items()}
    layer.load_state_dict(weights | {"lin_edge.weight": torch.tensor([[1.0, 4.0]])})
    messages = of_lists([[0, 1], []], torch.tensor([[1.0, 0.0], [0.0, 0.25]]))
    out, attention = layer(torch.tensor([[1.0], [-3.0]]), torch.tensor([[2.0], [7.0]]), messages)
    # P = 2 x + 1 = 3 and -5, Q = -2, edges add 1 and 1: z = 2 and -6, scores .5 * 2 and .5 * .2 * -6
    first = math.exp(1.0) / (math.exp(1.0) + math.exp(-0.6))
    torch.testing.assert_close(attention, torch.tensor([[first], [1 - first]]))
    torch.testing.assert_close(out, torch.tensor([[10 + 3 * first - 5 * (1 - first)], [10.0]]))


def test_the_same_edge_twice_counts_twice():
    layer, _ = pair(3, 2, 2, chunk=1)
    subreddits, users = torch.randn(2, 3, dtype=torch.float64), torch.randn(1, 3, dtype=torch.float64)
    zero = torch.zeros(3, 2, dtype=torch.float64)
    out, attention = layer(subreddits, users, of_lists([[0, 0, 1]], zero))
    torch.testing.assert_close(attention[0], attention[1])
    once, single = layer(subreddits, users, of_lists([[0, 1]], zero[:2]))
    odds = 2 * single[0] / single[1]
    torch.testing.assert_close((attention[0] + attention[1]) / attention[2], odds)
    assert not torch.allclose(out, once)


def test_inputs_and_gradients_of_any_layout():
    messages = random_messages(6, 5, 4)
    layer, _ = pair(4, 2, 2, chunk=3)
    subreddits, users = torch.randn(4, 5, dtype=torch.float64).T, torch.randn(12, 4, dtype=torch.float64)[::2]
    loose = messages._replace(features=messages.features.T.contiguous().T)
    out, _ = layer(subreddits, users, loose)
    tight, _ = layer(subreddits.contiguous(), users.contiguous(), messages)
    torch.testing.assert_close(out, tight)
    direction = torch.randn(4, 6, dtype=torch.float64).T
    for gradient in (direction, torch.ones(1, 1, dtype=torch.float64).expand(6, 4)):
        loosely = torch.autograd.grad(out, layer.parameters(), gradient, retain_graph=True)
        tightly = torch.autograd.grad(tight, layer.parameters(), gradient.contiguous(), retain_graph=True)
        torch.testing.assert_close(loosely, tightly)


def test_under_autocast_the_kernel_keeps_its_precision():
    messages = random_messages(6, 5, 4, dtype=torch.float32)
    layer, _ = pair(4, 2, 2, chunk=None, dtype=torch.float32)
    inputs = torch.randn(5, 4), torch.randn(6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        out, attention = layer(*inputs, messages)
        out.sum().backward()
    assert out.dtype == attention.dtype == torch.float32
    torch.testing.assert_close(out, layer(*inputs, messages)[0], rtol=0.05, atol=0.05)


def test_scores_far_from_zero_do_not_overflow():
    layer, peer = pair(2, 1, 1, chunk=None, dtype=torch.float32)
    inputs, messages = (
        (torch.randn(3, 2) * 1e4, torch.randn(4, 2) * 1e4),
        random_messages(4, 3, 3, dtype=torch.float32),
    )
    out, attention = layer(*inputs, messages)
    assert out.isfinite().all() and attention.isfinite().all()
    torch.testing.assert_close(out, peer(inputs, edge_index(messages), messages.features))


def test_a_second_derivative_is_refused():
    messages = random_messages(3, 3, 3, seed=2)
    layer, _ = pair(2, 1, 1, chunk=None)
    users = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    out, _ = layer(torch.randn(3, 2, dtype=torch.float64), users, messages)
    (first,) = torch.autograd.grad(out.pow(2).sum(), users, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        first.sum().backward()


def test_messages_of_other_users_are_refused():
    layer, _ = pair(2, 1, 1, chunk=None)
    with pytest.raises(ValueError, match="for 2 users"):
        layer(torch.zeros(3, 2), torch.zeros(2, 2), of_lists([[0], [1], [2]]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same():
    messages = random_messages(200, 30, 20, dtype=torch.float32)
    layer, _ = pair(8, 4, 4, chunk=None, dtype=torch.float32)
    subreddits, users = torch.randn(30, 8), torch.randn(200, 8)

    def gradients(device):
        moved = [part.to(device) for part in (subreddits, users)]
        out, attention = layer.to(device)(*moved, type(messages)(*(part.to(device) for part in messages)))
        found = torch.autograd.grad(out.square().sum(), layer.parameters())
        return [part.cpu() for part in (out, attention, *found)]

    torch.testing.assert_close(gradients("cuda"), gradients("cpu"), rtol=1e-3, atol=1e-3)
