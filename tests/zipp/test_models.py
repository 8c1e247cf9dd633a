"""Models against dense reckoning by the published formulas, and what must not change a vector."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from personalab.zipp import graph, models
from personalab.zipp.encoders import GATv2Encoder, SAGEEncoder, TfIdf, TfIdfNmi


def random_graph(seed=0, users=50, subreddits=20):
    rng = np.random.default_rng(seed)
    u, s = np.nonzero(rng.random((users, subreddits)) < 0.25)
    posts, comments = rng.integers(0, 5, len(u)), rng.integers(1, 9, len(u))
    return graph.from_edges(u, s, posts, comments, users, subreddits)


@pytest.fixture(scope="module")
def made():
    return random_graph()


@pytest.fixture(scope="module")
def features():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(3))


def everything(of):
    return graph.messages(of, torch.arange(of.n_users))


def inductive(on, features, kind=GATv2Encoder, **options):
    torch.manual_seed(0)
    return models.Inductive(
        kind(features.shape[1], hidden=16), features, models.edge_scale(everything(on)), **options
    )


def propagated(users, subreddits, matrix, layers):
    """LightGCN's mean over steps, with the dense normalised matrix of users and subreddits together."""
    n = len(users) + len(subreddits)
    whole = np.zeros((n, n))
    whole[: len(users), len(users) :] = matrix > 0
    whole += whole.T
    degree = whole.sum(1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros(n), where=degree > 0)
    step, state = scale[:, None] * whole * scale, np.concatenate([users, subreddits]).astype(float)
    mean = sum(np.linalg.matrix_power(step, k) @ state for k in range(layers + 1)) / (layers + 1)
    return mean[: len(users)], mean[len(users) :]


def units(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def transductive(made):
    torch.manual_seed(1)
    return models.Transductive(made, 8, 2, picture_width=5)


def dense(model, matrix):
    tables = (model.encoder.users.weight, model.encoder.subreddits.weight)
    return propagated(*(one.detach().numpy() for one in tables), matrix, model.encoder.layers)


@pytest.mark.parametrize("kind", [GATv2Encoder, SAGEEncoder])
def test_a_user_is_the_same_in_every_batch(made, features, kind):
    model = inductive(made, features, kind)
    with torch.no_grad():
        alone = torch.cat([model.users(made, torch.tensor([i])) for i in (7, 3, 3, 41)])
        together = model.users(made, torch.arange(50))
    torch.testing.assert_close(together[[7, 3, 3, 41]], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(50))


def test_a_hidden_edge_is_as_if_it_had_never_been(made, features):
    model = inductive(made, features)
    user, place = 11, 1
    edge = int(made.indptr[user]) + place
    kept = torch.ones(made.n_edges, dtype=torch.bool)
    kept[edge] = False
    # totals of subreddits still count the activity of all: only the user's own side may change
    without = graph.masked(made, kept)._replace(
        subreddit_total=made.subreddit_total, subreddit_degree=made.subreddit_degree
    )
    with torch.no_grad():
        hidden = model.users(made, torch.tensor([user]), torch.tensor([place]))
        torch.testing.assert_close(hidden, model.users(without, torch.tensor([user])), atol=1e-6, rtol=0)
        assert (hidden - model.users(made, torch.tensor([user]))).abs().max() > 1e-3


def test_an_encoder_hears_features_of_mean_0_and_deviation_1(made, features):
    model, heard = inductive(made, features), []
    model.encoder.register_forward_pre_hook(lambda _, given: heard.append(given[1].features))
    model.users(made, torch.arange(50))
    assert heard[0].mean(0).abs().max() < 1e-5
    assert (heard[0].std(0, unbiased=False) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("value", [0.0, 0.1, 5.0])
def test_features_that_are_all_alike_are_not_blown_up(made, features, value):
    heard = everything(made)
    alike = torch.full_like(heard.features, value)
    scale = models.edge_scale(heard._replace(features=alike))
    assert (scale[1] == 1).all() and (alike - scale[0]).abs().max() < 1e-5


def test_the_weights_kept_are_enough_to_make_the_same_model(made, features):
    first, other = (
        inductive(made, features, picture_width=5),
        inductive(random_graph(1), features, picture_width=5),
    )
    for p in first.parameters():
        torch.nn.init.normal_(p, std=0.3)
    other.load_state_dict(first.state_dict())
    with torch.no_grad():
        assert torch.equal(first.users(made, torch.arange(50)), other.users(made, torch.arange(50)))
    assert not [name for name in first.state_dict() if name.startswith(("features", "_heard"))]


def test_pictures_are_heard_by_the_head_alone(made, features):
    model, rows = inductive(made, features, picture_width=5), torch.arange(6)
    shown = torch.randn(6, 5)
    u, s, p = model(made, rows, None, shown)
    expected = normalize(shown @ model.pictures.weight.T + model.pictures.bias, dim=-1)
    torch.testing.assert_close(p, expected)
    torch.testing.assert_close(u, model.users(made, rows))
    torch.testing.assert_close(s, model.subreddits())
    assert model(made, rows, None, None)[2] is None


def test_attention_sums_to_one_over_a_users_edges(made, features):
    _, attention = inductive(made, features).users(made, torch.arange(50), return_attention=True)
    assert attention.shape == (2, made.n_edges, 4)
    owner = np.repeat(np.arange(50), made.degrees)
    sums = np.stack([np.bincount(owner, one, 50) for one in attention[1].T.numpy()])
    np.testing.assert_allclose(sums[:, made.degrees > 0], 1, rtol=1e-5)


def test_seen_users_and_subreddits_are_lightgcns(made, transductive):
    users, subreddits = dense(transductive, made.matrix().toarray())
    rows = torch.tensor([4, 0, 33])
    with torch.no_grad():
        np.testing.assert_allclose(transductive.users(made, rows), units(users)[rows], atol=1e-6)
        np.testing.assert_allclose(transductive.subreddits(), units(subreddits), atol=1e-6)


def test_hidden_edges_are_gone_for_all_of_lightgcn(made, transductive):
    rows, places = torch.tensor([4, 9]), torch.tensor([0, -1])
    matrix = made.matrix().toarray()
    matrix[4, int(made.subreddits[int(made.indptr[4])])] = 0
    users, subreddits = dense(transductive, matrix)
    with torch.no_grad():
        u, s, _ = transductive(made, rows, places, None)
        np.testing.assert_allclose(u, units(users)[[4, 9]], atol=1e-6)
        np.testing.assert_allclose(s, units(subreddits), atol=1e-6)
        assert (u[0] - transductive.users(made, rows)[0]).abs().max() > 1e-3


def test_unseen_users_get_one_step_from_their_subreddits(made, transductive):
    others = random_graph(seed=9)
    matrix = others.matrix().toarray() > 0
    _, subreddits = dense(transductive, made.matrix().toarray())
    degrees = (made.matrix().toarray() > 0).sum(0)
    step = matrix / np.sqrt(np.maximum(matrix.sum(1, keepdims=True) * degrees, 1))
    rows = torch.tensor([2, 30, 17])
    with torch.no_grad():
        found = transductive.users(others, rows)
    np.testing.assert_allclose(found, units((step @ subreddits)[rows]), atol=1e-6)


def test_statistical_models_give_the_statistics_own_scores(made, features):
    others, rows = random_graph(seed=9), torch.tensor([3, 3, 40, 8])
    matrix, candidates = others.matrix()[rows.numpy()], np.tile(np.arange(20), (4, 1))
    fitted = TfIdf().fit(made.matrix()), TfIdfNmi().fit(made.matrix())
    expected = fitted[0].scores(matrix, features.numpy(), candidates), fitted[1].scores(matrix, candidates)
    for statistics, scores in zip(fitted, expected, strict=True):
        model = models.Statistical(statistics, features)
        np.testing.assert_allclose(model.users(others, rows) @ model.subreddits().T, scores, atol=1e-5)
        assert np.ptp(scores) > 0.1


def test_an_edge_tells_as_much_as_attention_or_tfidf_gives_it(made, features):
    model = inductive(made, features).eval()
    _, attention = model.users(made, torch.arange(made.n_users), return_attention=True)
    scores = models.edge_scores(model, made)
    assert np.allclose(scores, attention.detach().mean(dim=(0, 2)).numpy(), atol=1e-6)
    owner = np.repeat(np.arange(made.n_users), made.degrees.numpy())
    assert np.allclose(np.bincount(owner, scores)[made.degrees[: owner[-1] + 1] > 0], 1, atol=1e-5)
    statistics = TfIdf().fit(made.matrix())
    matrix = made.matrix()
    wanted = [np.log1p(matrix[u, s]) * statistics.idf[s] for u, s in zip(*matrix.nonzero(), strict=True)]
    assert np.allclose(models.edge_scores(models.Statistical(statistics, features), made), wanted)


@pytest.mark.parametrize("kind", ["sage", "lightgcn"])
def test_without_attention_shares_are_a_softmax_of_cosines(made, features, kind):
    torch.manual_seed(1)
    model = inductive(made, features, SAGEEncoder) if kind == "sage" else models.Transductive(made, 8)
    scores = models.edge_scores(model, made, 0.2)
    with torch.no_grad():
        cosine = (model.users(made, torch.arange(made.n_users)) @ model.subreddits().T).numpy()
    start, end = made.indptr[4], made.indptr[5]
    own = torch.from_numpy(cosine[4, made.subreddits[start:end].long().numpy()] / 0.2)
    assert np.allclose(scores[start:end] / scores[start:end].sum(), torch.softmax(own, 0).numpy(), atol=1e-5)
