"""LightGCN against PyG's, with the derivative, taken-out edges and unseen users."""

import pytest
import torch
from bipartite import edge_index, of_lists, random_messages
from torch_geometric.nn.models import LightGCN as Peer

from personalab.zipp.encoders import LightGCN

USERS, SUBREDDITS = 15, 9
MESSAGES = random_messages(USERS, SUBREDDITS, 6, seed=1)


def model(layers=2, users=USERS, subreddits=SUBREDDITS, hidden=4):
    torch.manual_seed(layers)
    return LightGCN(users, subreddits, hidden, layers).double()


def peers_embeddings(ours, messages, weights=None):
    """PyG's on one table of users, then subreddits, edges both ways."""
    table = torch.cat([ours.users.weight, ours.subreddits.weight])
    peer = Peer(len(table), table.shape[1], ours.layers).double()
    peer.alpha = torch.full((ours.layers + 1,), 1 / (ours.layers + 1), dtype=torch.float64)
    peer.embedding.weight.data = table.detach().clone()
    subreddits, users = edge_index(messages)
    one_way = torch.stack([subreddits + ours.users.num_embeddings, users])
    ways = torch.cat([one_way, one_way.flip(0)], dim=1)
    found = peer.get_embedding(ways, None if weights is None else torch.cat([weights, weights]))
    return peer, found.split([ours.users.num_embeddings, ours.subreddits.num_embeddings])


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_embeddings_and_gradients_are_pygs(layers, masked):
    ours = model(layers)
    weights = (torch.arange(len(MESSAGES.subreddits)) % 4 > 0).double() if masked else None
    found = ours(MESSAGES, weights)
    peer, expected = peers_embeddings(ours, MESSAGES, weights)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    directions = [torch.randn_like(part) for part in found]
    torch.autograd.backward(found, directions)
    torch.autograd.backward(expected, directions)
    gradient = torch.cat([ours.users.weight.grad, ours.subreddits.weight.grad])
    torch.testing.assert_close(gradient, peer.embedding.weight.grad, rtol=1e-9, atol=1e-9)


def test_a_weight_of_zero_takes_an_edge_out():
    ours = model()
    out = torch.ones(len(MESSAGES.subreddits))
    user = int((MESSAGES.indptr.diff() > 1).nonzero()[0])
    target = int(MESSAGES.indptr[user])
    out[target] = 0
    kept = out.bool()
    indptr = MESSAGES.indptr - (torch.arange(USERS + 1) > user).long()
    shorter = MESSAGES._replace(
        indptr=indptr, subreddits=MESSAGES.subreddits[kept], features=MESSAGES.features[kept]
    )
    torch.testing.assert_close(ours(MESSAGES, out), ours(shorter))


def test_another_graph_is_not_taken_for_the_last_one():
    ours, other = model(), random_messages(USERS, SUBREDDITS, 6, seed=2)
    first, _ = ours(MESSAGES), ours(other)
    torch.testing.assert_close(ours(other), peers_embeddings(ours, other)[1])
    torch.testing.assert_close(ours(MESSAGES), first)
    ours(other)
    other.subreddits.copy_(other.subreddits.flip(0))
    torch.testing.assert_close(ours(other), peers_embeddings(ours, other)[1])


def test_unseen_users_by_hand():
    ours = model(users=3, subreddits=3)
    training = of_lists([[0, 1], [1], [1]])
    ours.keep(training)
    final = ours(training)[1]
    found = ours.unseen(of_lists([[0, 1], [], [2], [1]]))
    by_hand = final[0] / 2**0.5 + final[1] / 6**0.5
    expected = torch.stack([by_hand, torch.zeros(4), torch.zeros(4), final[1] / 3**0.5])
    torch.testing.assert_close(found, expected.double(), rtol=1e-9, atol=1e-9)


def test_final_embeddings_travel_with_the_weights():
    ours, other = model(), model(layers=3)
    with pytest.raises(RuntimeError, match="call keep"):
        ours.unseen(MESSAGES)
    ours.keep(MESSAGES)
    other.load_state_dict(ours.state_dict())
    torch.testing.assert_close(other.unseen(MESSAGES), ours.unseen(MESSAGES))
    assert not ours.unseen(MESSAGES).requires_grad


def test_messages_of_some_users_only_are_refused():
    with pytest.raises(ValueError, match="got messages of 1 users; expected all 15"):
        model()(of_lists([[0]]))
