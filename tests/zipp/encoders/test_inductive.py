"""The GATv2 and GraphSAGE encoders: what a user's embedding may depend on, and PyG's layers as oracle."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from bipartite import edge_index, of_lists, random_messages, some
from torch_geometric.nn import GATv2Conv, SAGEConv

from personalab.zipp.encoders import GATv2Encoder, SAGEEncoder, sage

USERS, SUBREDDITS = 9, 12
MESSAGES = random_messages(USERS, SUBREDDITS, 6, seed=5)
EVERYONE = torch.arange(USERS)
FEATURES = torch.randn(SUBREDDITS, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KINDS = {
    "gatv2": lambda **options: GATv2Encoder(7, hidden=8, heads=2, **options),
    "gatv2, no residual": lambda **options: GATv2Encoder(7, hidden=8, heads=2, residual=False, **options),
    "sage": lambda **options: SAGEEncoder(7, hidden=8, **options),
    "sage by weight": lambda **options: SAGEEncoder(7, hidden=8, weighted=True, **options),
}


@pytest.fixture(params=KINDS)
def encoder(request):
    torch.manual_seed(0)
    return KINDS[request.param]().double()


def test_embeddings_are_unit_vectors(encoder):
    z = encoder(FEATURES, MESSAGES, EVERYONE)
    assert z.shape == (USERS, 8)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(USERS, dtype=torch.float64))
    of_subreddits = encoder.subreddits(FEATURES[:3])
    torch.testing.assert_close(of_subreddits.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_an_embedding_does_not_depend_on_the_batch(encoder):
    z, attention = encoder(FEATURES, MESSAGES, EVERYONE, return_attention=True)
    torch.testing.assert_close(encoder(FEATURES, MESSAGES, EVERYONE), z, rtol=0, atol=0)
    for users in ([3], [8, 0, 3], [5, 5]):
        mine = some(MESSAGES, users)
        there, weights = encoder(FEATURES, mine, torch.tensor(users), return_attention=True)
        torch.testing.assert_close(there, z[users])
        bounds = MESSAGES.indptr.tolist()
        edges = [e for u in users for e in range(bounds[u], bounds[u + 1])]
        torch.testing.assert_close(weights, attention[:, edges])


def test_the_order_of_a_users_edges_does_not_matter(encoder):
    bounds = MESSAGES.indptr.tolist()
    turned = torch.tensor([e for a, b in pairwise(bounds) for e in reversed(range(a, b))])
    other = MESSAGES._replace(subreddits=MESSAGES.subreddits[turned], features=MESSAGES.features[turned])
    torch.testing.assert_close(encoder(FEATURES, other, EVERYONE), encoder(FEATURES, MESSAGES, EVERYONE))


def test_attention_sums_to_one_over_each_users_edges(encoder):
    _, attention = encoder(FEATURES, MESSAGES, EVERYONE, return_attention=True)
    assert attention.shape[:2] == (2, len(MESSAGES.subreddits)) and not attention.requires_grad
    owners = edge_index(MESSAGES)[1]
    sums = torch.zeros(2, USERS, attention.shape[2], dtype=torch.float64).index_add_(1, owners, attention)
    heard = (MESSAGES.indptr.diff() > 0).double()[:, None].expand_as(sums)
    torch.testing.assert_close(sums, heard)


def test_a_target_edge_taken_out_changes_its_user_alone(encoder):
    z = encoder(FEATURES, MESSAGES, EVERYONE)
    target = int(MESSAGES.indptr[4])
    assert target < MESSAGES.indptr[5], "user 4 has an edge"
    kept = torch.arange(len(MESSAGES.subreddits)) != target
    indptr = MESSAGES.indptr - (torch.arange(USERS + 1) > 4).long()
    without = MESSAGES._replace(
        indptr=indptr, subreddits=MESSAGES.subreddits[kept], features=MESSAGES.features[kept]
    )
    changed = (encoder(FEATURES, without, EVERYONE) - z).abs().amax(1) > 1e-9
    assert changed.nonzero().flatten().tolist() == [4]


def test_subreddits_without_edges_do_not_matter(encoder):
    more = torch.cat([FEATURES, torch.full((5, 7), torch.nan, dtype=torch.float64)])
    torch.testing.assert_close(encoder(more, MESSAGES, EVERYONE), encoder(FEATURES, MESSAGES, EVERYONE))


def test_users_without_edges_and_empty_batches(encoder):
    nobody = of_lists([[], []])
    z, attention = encoder(FEATURES, nobody, torch.tensor([1, 2]), return_attention=True)
    assert z.isfinite().all() and attention.shape[:2] == (2, 0)
    z.sum().backward()
    assert encoder(FEATURES, of_lists([]), EVERYONE[:0]).shape == (0, 8)


def test_gradients_reach_every_parameter(encoder):
    z = encoder(FEATURES, MESSAGES, EVERYONE)
    ((z @ encoder.subreddits(FEATURES).T) ** 3).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_half_precision_features_are_read(encoder):
    """A table of descriptions takes the most memory; it may be stored in 16 bits."""
    rounded = FEATURES.half()
    torch.testing.assert_close(
        encoder(rounded, MESSAGES, EVERYONE), encoder(rounded.double(), MESSAGES, EVERYONE)
    )
    torch.testing.assert_close(encoder.subreddits(rounded), encoder.subreddits(rounded.double()))


@pytest.mark.parametrize(
    ("messages", "users", "words"),
    [
        (of_lists([[0], [1]]), [0], "1 users, 3 offsets"),
        (of_lists([[0, 12]]), [0], "subreddits 0 to 12; expected rows of the 12"),
        (of_lists([[-1]]), [0], "subreddits -1 to -1"),
        (of_lists([[0]])._replace(features=torch.zeros(2, 2)), [0], "2 rows of edge features"),
        (of_lists([[0, 1]])._replace(indptr=torch.tensor([0, 1])), [0], "up to 1, 2 edges"),
    ],
)
def test_messages_that_do_not_fit_are_refused(messages, users, words):
    with pytest.raises(ValueError, match=words):
        GATv2Encoder(7, hidden=8)(FEATURES.float(), messages, torch.tensor(users))


def test_heads_share_the_width():
    with pytest.raises(ValueError, match="width 256 for 3 heads"):
        GATv2Encoder(7, heads=3)


def test_users_without_memory_start_from_noise_of_the_given_seed():
    """The same weights with another noise seed give other embeddings; more so with more noise."""
    torch.manual_seed(0)
    base = GATv2Encoder(7, hidden=8, heads=2).double()
    seeded, louder = (
        GATv2Encoder(7, hidden=8, heads=2, **o).double() for o in ({"noise_seed": 1}, {"user_sd": 5.0})
    )
    z = base(FEATURES, MESSAGES, EVERYONE)
    distances = []
    for other in (seeded, louder):
        other.load_state_dict(base.state_dict())
        distances.append((other(FEATURES, MESSAGES, EVERYONE) - z).norm())
    assert 0 < distances[0] < distances[1]


@pytest.mark.parametrize("residual", [True, False])
def test_the_gatv2_encoder_is_its_description_with_pygs_layers(residual):
    torch.manual_seed(2)
    encoder = GATv2Encoder(7, hidden=8, heads=2, residual=residual).double()
    subreddits = encoder.from_features(FEATURES)
    states = encoder.from_noise(encoder.user_noise(EVERYONE))
    for i, layer in enumerate(encoder.layers):
        peer = GATv2Conv((8, 8), 4, heads=2, edge_dim=2, add_self_loops=False).double()
        peer.load_state_dict(layer.state_dict())
        inputs = encoder.subreddit_norms[i](subreddits), encoder.user_norms[i](states)
        out = peer(inputs, edge_index(MESSAGES), MESSAGES.features)
        states = states + out if residual else out
    torch.testing.assert_close(encoder(FEATURES, MESSAGES, EVERYONE), F.normalize(states, dim=1))


def test_the_sage_encoder_is_its_description_with_pygs_layers():
    torch.manual_seed(3)
    encoder = SAGEEncoder(7, hidden=8).double()
    subreddits = encoder.from_features(FEATURES)
    states = encoder.from_noise(encoder.user_noise(EVERYONE))
    for i, activation in enumerate((torch.relu, lambda x: x)):
        peer = SAGEConv((8, 8), 8, aggr="mean").double()
        peer.load_state_dict(encoder.layers[i].state_dict())
        inputs = encoder.subreddit_norms[i](subreddits), encoder.user_norms[i](states)
        states = states + activation(peer(inputs, edge_index(MESSAGES)))
    torch.testing.assert_close(encoder(FEATURES, MESSAGES, EVERYONE), F.normalize(states, dim=1))


def test_the_sage_layer_is_pygs_with_all_gradients():
    torch.manual_seed(1)
    peer, ours = SAGEConv((5, 5), 4, aggr="mean").double(), sage.SAGEConv((5, 5), 4).double()
    ours.load_state_dict(peer.state_dict())
    inputs = [torch.randn(n, 5, dtype=torch.float64, requires_grad=True) for n in (SUBREDDITS, USERS)]
    results = ours(*inputs, MESSAGES)[0], peer(tuple(inputs), edge_index(MESSAGES))
    direction = torch.randn(USERS, 4, dtype=torch.float64)
    gradients = [
        torch.autograd.grad(out, [*inputs, *layer.parameters()], direction)
        for out, layer in zip(results, (ours, peer), strict=True)
    ]
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)
    names = [[n for n, _ in layer.named_parameters()] for layer in (ours, peer)]
    assert names[0] == names[1]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-9)


def test_the_weighted_mean_by_hand():
    layer = sage.SAGEConv((1, 1), 1, weighted=True)
    layer.load_state_dict(
        {"lin_l.weight": torch.ones(1, 1), "lin_l.bias": torch.zeros(1), "lin_r.weight": torch.zeros(1, 1)}
    )
    features = torch.tensor([[1.0, 0], [3.0, 0], [0.0, 0], [0.0, 0]])
    messages = of_lists([[0, 1], [0, 1]], features)
    out, weights = layer(torch.tensor([[4.0], [8.0]]), torch.zeros(2, 1), messages)
    torch.testing.assert_close(weights.flatten(), torch.tensor([0.25, 0.75, 0.5, 0.5]))
    torch.testing.assert_close(out, torch.tensor([[7.0], [6.0]]))
