"""The invented communities: what is planted is there, and with a share of 0 nothing is."""

import numpy as np
import pytest
from scipy.stats import chisquare, spearmanr

from personalab.world import users
from personalab.zipp import graph_store, synthetic


@pytest.fixture(scope="module")
def world():
    """Tastes of 400 users, 200 communities, the people."""
    tastes = synthetic.lifts([users.draw_user(np.random.default_rng([1, i])).taste for i in range(400)])
    rng = np.random.default_rng(0)
    return synthetic.population(tastes, 400, rng), synthetic.communities(200, rng)


def affinity(people, places, made):
    """Mean lift of its theme's values under its user's taste, for every edge with a theme."""
    owner = np.repeat(np.arange(made.n_users), made.degrees.numpy())
    place = made.subreddits.long().numpy()
    themed = places.themes[place].any(axis=1)
    return np.einsum("ev,ev->e", people.lifts[people.which[owner]], places.themes[place])[themed]


def test_communities_are_named_once_and_sized_by_rank(world):
    _, places = world
    assert len(set(places.names)) == 200 and places.sizes.sum() == pytest.approx(1)
    assert (np.diff(places.sizes) < 0).all()
    sums = places.themes.sum(axis=1)
    assert set(np.round(sums, 6)) == {0.0, 1.0} and (sums[:30] == 0).all() and (sums[30:] > 0).all()
    many = synthetic.communities(5000, np.random.default_rng(0))
    values = np.sort((many.themes > 0).sum(axis=1))
    assert len(np.unique(many.themes[96:], axis=0)) == 5000 - 96 and set(values) == {0, 1, 2, 3}


def test_without_taste_activity_follows_size_alone(world):
    people, places = world
    made = synthetic.to_graph(people, places, share=0, seed=3)
    found = made.subreddit_total.numpy()
    assert found.sum() == people.activity.sum()
    assert chisquare(found, places.sizes * found.sum()).pvalue > 1e-3


def test_taste_shows_in_the_edges_as_far_as_it_is_planted(world):
    people, places = world
    means = [
        affinity(people, places, synthetic.to_graph(people, places, share=s, seed=3)).mean()
        for s in (0, 0.3, 0.9)
    ]
    assert means[0] < means[1] < means[2]


def test_activity_is_heavy_tailed_and_capped(world):
    people, _ = world
    assert people.activity.max() <= 2000 and np.median(people.activity) < 0.8 * people.activity.mean()


def test_the_same_seed_gives_the_same_edges_and_the_written_graph_is_the_one_in_memory(world, tmp_path):
    people, places = world
    options = {"share": 0.6, "seed": 5, "chunk": 150}
    made = synthetic.to_graph(people, places, **options)
    graph_store.write(tmp_path / "g", synthetic.interactions(people, places, **options), 200)
    mapped = graph_store.open_graph(tmp_path / "g")
    assert all((one == other).all() for one, other in zip(made, mapped, strict=True))
    other = synthetic.to_graph(people, places, share=0.6, seed=6, chunk=150)
    assert other.n_edges != made.n_edges or (other.subreddits != made.subreddits).any()


def test_many_users_may_share_a_taste():
    rng = np.random.default_rng(0)
    tastes = rng.normal(size=(3, len(synthetic.values()))).astype(np.float32)
    people = synthetic.population(tastes, 300, rng)
    places = synthetic.communities(100, rng)
    made = synthetic.to_graph(people, places, share=1, seed=1).matrix().toarray()
    pooled = np.array([made[people.which == kind].sum(0) for kind in range(3)])
    for kind in range(3):
        expected = places.sizes * np.exp2(2 * tastes[kind] @ places.themes.T)
        assert spearmanr(pooled[kind], expected).statistic > 0.8


def test_a_share_beyond_one_is_refused(world):
    with pytest.raises(ValueError, match="share"):
        next(synthetic.interactions(*world, share=1.2, seed=0))
