"""Graphs on disk and in memory, what a batch of users hears, and what is taken out, against plain reckoning."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from personalab.zipp import graph, graph_store, split


def random_graph(seed=0, users=40, subreddits=15):
    """A graph and its edges as arrays (user, subreddit, posts, comments)."""
    rng = np.random.default_rng(seed)
    u, s = np.nonzero(rng.random((users, subreddits)) < 0.3)
    posts, comments = rng.integers(0, 5, len(u)), rng.integers(1, 9, len(u))
    return graph.from_edges(u, s, posts, comments, users, subreddits), (u, s, posts, comments)


def chunks(edges, users, size):
    """The edges as `graph_store.write` takes them."""
    u, *rest = edges
    for start in range(0, users, size):
        mine = (u >= start) & (u < start + size)
        yield np.bincount(u[mine] - start, minlength=min(size, users - start)), *(one[mine] for one in rest)


def test_edge_features_by_hand():
    # t = 3, c = 1, c_u = 10, c_s = 4: log 4 / sqrt 40 and 1/3; an edge without activity has weight and fraction 0
    found = graph.edge_features(
        np.array([3, 0]), np.array([1, 0]), np.array([10, 10]), np.array([4, 4]), eps=0.0
    )
    np.testing.assert_allclose(found, [[np.log(4) / np.sqrt(40), 1 / 3], [0, 0]], rtol=1e-15)


@given(arrays(np.int64, 7, elements=st.integers(0, 1000)), st.integers(0, 2**32 - 1))
def test_edge_features_are_the_same_in_numpy_and_torch(t, seed):
    rng = np.random.default_rng(seed)
    given_ = t, rng.integers(0, t + 1), t + rng.integers(0, 99, 7), t + rng.integers(0, 99, 7)
    ours = graph.edge_features(*given_)
    assert ours.shape == (7, 2) and np.isfinite(ours).all() and (ours >= 0).all() and (ours[:, 1] <= 1).all()
    theirs = graph.edge_features(*(torch.from_numpy(one) for one in given_))
    np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        ([1, 2], [1], [1, 2], [1, 2]),
        ([1], [2], [1], [1]),
        ([-1], [0], [1], [1]),
        ([[1]], [[0]], [[1]], [[1]]),
    ],
)
def test_edge_features_refuse_what_cannot_be(wrong):
    with pytest.raises(ValueError, match="got"):
        graph.edge_features(*(np.array(one) for one in wrong))


@pytest.mark.parametrize("size", [1, 7, 40, 100])
def test_a_graph_written_in_chunks_is_the_one_made_at_once(tmp_path, size):
    made, edges = random_graph()
    graph_store.write(tmp_path / "graph", chunks(edges, 40, size), 15)
    mapped = graph_store.open_graph(tmp_path / "graph")
    for one, other in zip(mapped, made, strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)
    assert not list(tmp_path.glob("part.*"))


def test_totals_and_degrees_are_sums_of_the_matrix():
    made, (u, s, posts, comments) = random_graph()
    dense = np.zeros((40, 15), int)
    dense[u, s] = posts + comments
    np.testing.assert_array_equal(made.matrix().toarray(), dense)
    np.testing.assert_array_equal(made.user_total, dense.sum(1))
    np.testing.assert_array_equal(made.subreddit_total, dense.sum(0))
    np.testing.assert_array_equal(made.subreddit_degree, (dense > 0).sum(0))
    np.testing.assert_array_equal(made.degrees, (dense > 0).sum(1))


def test_many_subreddits_need_wider_rows(tmp_path):
    wide = np.array([70_000]), np.array([1]), np.array([0])
    graph_store.write(tmp_path / "graph", [(np.array([1]), *wide)], 100_000)
    assert graph_store.open_graph(tmp_path / "graph").subreddits.tolist() == [70_000]


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        ((np.array([2]), np.array([0]), np.array([1]), np.array([1])), "sum to 2"),
        ((np.array([1]), np.array([15]), np.array([1]), np.array([1])), "rows 0 to 14"),
        ((np.array([1]), np.array([1]), np.array([70_000]), np.array([1])), "cap them"),
    ],
)
def test_a_graph_that_cannot_be_written_leaves_the_old_one(tmp_path, chunk, said):
    made, edges = random_graph()
    graph_store.write(tmp_path / "graph", chunks(edges, 40, 10), 15)
    with pytest.raises(ValueError, match=said):
        graph_store.write(tmp_path / "graph", [chunk], 15)
    assert torch.equal(graph_store.open_graph(tmp_path / "graph").indptr, made.indptr)


def test_a_file_cut_short_is_named(tmp_path):
    _, edges = random_graph()
    graph_store.write(tmp_path / "graph", chunks(edges, 40, 10), 15)
    file = tmp_path / "graph" / "posts.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"posts\.bin has"):
        graph_store.open_graph(tmp_path / "graph")
    with pytest.raises(FileNotFoundError, match="no graph in"):
        graph_store.open_graph(tmp_path)


def test_the_same_pair_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        graph.from_edges([0, 0], [1, 1], [1, 1], [0, 0], 2, 2)


def test_messages_are_a_users_own_edges():
    made, (u, s, posts, comments) = random_graph()
    heard = graph.messages(made, torch.tensor([9, 3, 9]))
    for i, user in enumerate((9, 3, 9)):
        own = u == user
        part = slice(heard.indptr[i], heard.indptr[i + 1])
        np.testing.assert_array_equal(heard.subreddits[part], s[own])
        expected = graph.edge_features(
            (posts + comments)[own],
            comments[own],
            np.full(own.sum(), made.user_total[user]),
            made.subreddit_total.numpy()[s[own]],
        )
        np.testing.assert_allclose(heard.features[part], expected, rtol=1e-5)


def test_a_target_is_in_no_message_and_in_no_total():
    made, (u, s, posts, comments) = random_graph()
    user = int(np.flatnonzero(made.degrees.numpy() >= 3)[0])
    heard = graph.messages(made, torch.tensor([user]), torch.tensor([1]))
    own = np.flatnonzero(u == user)
    gone, kept = own[1], np.delete(own, 1)
    np.testing.assert_array_equal(heard.subreddits, s[kept])
    c_u = (posts + comments)[kept].sum()
    weight = np.log1p((posts + comments)[kept]) / np.sqrt(c_u * made.subreddit_total.numpy()[s[kept]])
    np.testing.assert_allclose(heard.features[:, 0], weight, rtol=1e-5)
    assert s[gone] not in heard.subreddits
    with pytest.raises(ValueError, match="beyond a user's last edge"):
        graph.messages(made, torch.tensor([user]), torch.tensor([len(own)]))


def test_kinds_of_edges():
    made, (u, s, posts, comments) = random_graph()
    own = u == 5
    users = torch.tensor([5])
    t = (posts + comments)[own]
    np.testing.assert_allclose(
        graph.messages(made, users, edges="none").features[:, 0], np.log1p(t), rtol=1e-5
    )
    degrees = own.sum() * np.bincount(s, minlength=15)[s[own]]
    np.testing.assert_allclose(
        graph.messages(made, users, edges="degree").features[:, 0], np.log1p(t) / np.sqrt(degrees), rtol=1e-5
    )
    np.testing.assert_array_equal(
        graph.messages(made, users, edges="counts").features, np.stack([comments, posts], 1)[own]
    )
    with pytest.raises(ValueError, match="expected one of"):
        graph.messages(made, users, edges="weight")


@given(st.integers(0, 10**6))
def test_held_out_edges_are_gone_and_nothing_else(seed):
    made, _ = random_graph(seed % 5)
    left, targets = split.hold_out(made, np.random.default_rng(seed), fewest=3)
    before, after = made.matrix().toarray(), left.matrix().toarray()
    taken = np.argwhere(before != after)
    np.testing.assert_array_equal(taken[:, 0], np.flatnonzero(made.degrees.numpy() >= 3))
    np.testing.assert_array_equal(targets[taken[:, 0]], taken[:, 1])
    assert (targets[made.degrees < 3] == -1).all() and (after[taken[:, 0], taken[:, 1]] == 0).all()
    np.testing.assert_array_equal(left.subreddit_total, after.sum(0))
    np.testing.assert_array_equal(left.user_total, after.sum(1))


def test_pruning_keeps_the_most_active():
    made, _ = random_graph()
    small, rows = split.prune(made, 6)
    dense = made.matrix().toarray()
    np.testing.assert_array_equal(np.sort(np.argsort(-dense.sum(0), kind="stable")[:6]), rows)
    np.testing.assert_array_equal(small.matrix().toarray(), dense[:, rows])
    assert small.n_users == 40 and len(small.subreddit_degree) == 6
    with pytest.raises(ValueError, match="expected 1 to 15"):
        split.prune(made, 16)


def test_selected_users_keep_their_edges_and_lose_the_others_totals():
    made, _ = random_graph()
    rows = torch.tensor([7, 2, 30])
    some = split.select(made, rows)
    dense = made.matrix().toarray()[rows]
    np.testing.assert_array_equal(some.matrix().toarray(), dense)
    np.testing.assert_array_equal(some.subreddit_total, dense.sum(0))


def test_divided_users_are_all_there_once_and_nothing_is_known_of_the_unseen():
    made, _ = random_graph()
    parts = split.divide(made, 0.7, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate([parts.seen, parts.unseen])), np.arange(40))
    assert len(parts.seen) == 28 and parts.inside.n_users == 28 and parts.outside.n_users == 12
    np.testing.assert_array_equal(parts.outside.subreddit_total, parts.inside.matrix().toarray().sum(0))
    for rows, part, targets in (
        (parts.seen, parts.inside, parts.seen_targets),
        (parts.unseen, parts.outside, parts.unseen_targets),
    ):
        whole, left = made.matrix().toarray()[rows], part.matrix().toarray()
        for i in range(len(rows)):
            gone = np.flatnonzero(whole[i] != left[i])
            assert gone.tolist() == ([targets[i]] if targets[i] >= 0 else [])
    with pytest.raises(ValueError, match="either side"):
        split.divide(made, 1.0, seed=1)


def test_edge_features_take_what_a_graph_holds():
    made, _ = random_graph()
    t = (made.posts.int() + made.comments.int()).to(torch.uint16)
    whole = graph.edge_features(t, made.comments, 50, 60)
    plain = graph.edge_features(t.numpy()[::-1], made.comments.numpy()[::-1], [50], np.uint32(60))
    np.testing.assert_allclose(whole.numpy()[::-1], plain, rtol=1e-5)
    with pytest.raises(ValueError, match="not numbers"):
        graph.edge_features([1.0], [0.0], [np.nan], [1.0])


def test_a_users_number_follows_through_every_cut():
    made, _ = random_graph()
    parts = split.divide(made, 0.7, seed=1)
    np.testing.assert_array_equal(parts.inside.ids, parts.seen)
    np.testing.assert_array_equal(split.prune(parts.outside, 5)[0].ids, parts.unseen)
