"""Training on small invented worlds: what is drawn, what is hidden, what is learnt, and what is taken up again."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import normalize

from personalab.world.train.fit import read_log
from personalab.zipp import evaluate, graph, graph_store, models, split, synthetic, train
from personalab.zipp.encoders import GATv2Encoder, SAGEEncoder

USERS, COMMUNITIES = 600, 120


pytestmark = pytest.mark.usefixtures("one_thread")


def world(share, seed=0):
    """The communities' features, tastes, and the graph divided into users seen and unseen."""
    rng = np.random.default_rng(seed)
    places = synthetic.communities(COMMUNITIES, rng)
    tastes = rng.normal(size=(8, len(synthetic.values()))).astype(np.float32)
    people = synthetic.population(tastes, USERS, rng)
    whole = synthetic.to_graph(people, places, share=share, seed=seed)
    parts = split.divide(whole, 0.5, seed)
    return torch.from_numpy(places.themes), people.lifts[people.which][parts.seen], parts


@pytest.fixture(scope="module")
def tasty():
    return world(1.0)


def fresh(on, features, seed=0, kind=GATv2Encoder, **options):
    torch.manual_seed(seed)
    scale = models.edge_scale(graph.messages(on, torch.arange(on.n_users)))
    return models.Inductive(kind(features.shape[1], hidden=16), features, scale, **options)


def fitted(of, folder, *, model=None, steps=20, **options):
    """A model trained on a world's seen users, and the losses of all steps."""
    features, _, parts = of
    model, losses = model or fresh(parts.inside, features), []
    options = {"batch": 64, "rate": 1e-2} | options
    train.train(
        model, parts.inside, folder, steps=steps, on_step=lambda _, f: losses.append(f["loss"]), **options
    )
    return model, losses


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


# what is drawn


def small():
    """Users of 0 to 6 edges, all of them with posts."""
    degrees = np.array([0, 1, 2, 6, 3, 1, 4])
    owner = np.repeat(np.arange(7), degrees)
    place = np.concatenate([np.random.default_rng(i).permutation(9)[:d] for i, d in enumerate(degrees)])
    return graph.from_edges(owner, place, np.ones(len(owner)), np.ones(len(owner)), 7, 9), degrees


@pytest.mark.parametrize("positives", train.POSITIVES)
def test_positives_are_drawn_as_the_closed_form_says(positives):
    made, degrees = small()
    among = np.array([2, 3, 6])
    drawn = train.draw(made, among, 20_000, np.random.default_rng(0), positives)
    edge = made.indptr[drawn.users] + drawn.places
    assert torch.equal(made.subreddits[edge].long(), drawn.subreddits)
    found = np.bincount(edge, minlength=made.n_edges)
    owner = np.repeat(np.arange(7), degrees)
    among_them = np.isin(owner, among)
    each = 1 / len(among) / degrees[owner] if positives == "user" else np.full(len(owner), 1 / 12)
    assert found[~among_them].sum() == 0
    assert chisquare(found[among_them], 20_000 * each[among_them]).pvalue > 1e-3


def test_users_with_one_edge_or_none_are_never_drawn(tmp_path, monkeypatch):
    made, _ = small()
    model, seen = fresh(made, torch.randn(9, 4)), []
    plain = model.users
    monkeypatch.setattr(model, "users", lambda g, rows, *rest: (seen.append(rows), plain(g, rows, *rest))[1])
    train.train(model, made, tmp_path / "all", steps=4, batch=64)
    assert set(torch.cat(seen).tolist()) == {2, 3, 4, 6}
    seen.clear()
    train.train(model, made, tmp_path / "some", steps=4, batch=64, users=np.array([1, 4, 6]))
    assert set(torch.cat(seen).tolist()) == {4, 6}
    with pytest.raises(ValueError, match="no user with two edges"):
        train.train(model, made, tmp_path / "none", steps=1, users=np.array([0, 1, 5]))


@pytest.mark.parametrize("keep_target", [False, True])
def test_the_target_is_in_no_message_unless_it_is_kept(tasty, tmp_path, monkeypatch, keep_target):
    heard, plain = [], models.messages
    monkeypatch.setattr(models, "messages", lambda *a: (heard.append(plain(*a)), heard[-1])[1])
    inside = tasty[2].inside
    model = fresh(inside, tasty[0])
    fitted(tasty, tmp_path, model=model, steps=3, seed=5, keep_target=keep_target)
    everybody = np.flatnonzero(inside.degrees >= 2)
    for i, one in enumerate(heard):
        drawn = train.draw(inside, everybody, 64, np.random.default_rng([5, i]))
        owner = torch.repeat_interleave(torch.arange(64), one.indptr.diff())
        told = torch.zeros(64, dtype=torch.bool)
        told[owner[one.subreddits == drawn.subreddits[owner]]] = True
        assert told.all() if keep_target else not told.any()
        assert torch.equal(one.indptr.diff(), inside.degrees[drawn.users] - int(not keep_target))
    assert len(heard) == 3


def test_each_picture_of_a_user_is_as_likely_and_others_get_none():
    vectors = torch.eye(6)
    pictures = train.Pictures(np.array([1, 1, 1, 4, 7, 7]), vectors)
    asked = np.tile([1, 2, 4, 7, 9, 0], 3000)
    shown, has = train.pick(pictures, asked, np.random.default_rng(0))
    assert (has.numpy() == np.isin(asked, [1, 4, 7])).all() and (shown[~has] == 0).all()
    owners = pictures.users[shown[has].argmax(1)]
    assert (owners == asked[has.numpy()]).all()
    assert chisquare(shown[asked == 1].sum(0)[:3]).pvalue > 1e-3
    assert chisquare(shown[asked == 7].sum(0)[4:]).pvalue > 1e-3


def test_pictures_of_some_users_by_their_place_among_them():
    users, vectors = np.array([8, 2, 5, 2, 9]), np.arange(10.0).reshape(5, 2)
    found = train.pictures_of(users, vectors, np.array([2, 8, 10]))
    assert found.users.tolist() == [0, 0, 1] and found.vectors.tolist() == vectors[[1, 3, 0]].tolist()


def test_close_negatives_are_scikit_learns_neighbours():
    features = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    peer = NearestNeighbors(n_neighbors=5, metric="cosine").fit(features.numpy())
    expected = peer.kneighbors(features.numpy(), return_distance=False)
    assert (expected[:, 0] == np.arange(30)).all()
    assert (train.closest(features, 4).numpy() == expected[:, 1:]).all()
    assert train.closest(features[:3], 8).shape == (3, 2)


# what is learnt


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_vectors_of_unseen_users_know_of_taste_exactly_if_there_is_any(tasty, tmp_path, share):
    of = tasty if share else world(0.0)
    parts = of[2]
    model, losses = fitted(of, tmp_path, steps=60, batch=128)
    asked = evaluate.question(parts.outside, parts.unseen_targets, np.random.default_rng(2), USERS)
    with torch.no_grad():
        vectors = (
            model.users(parts.outside, torch.from_numpy(asked.users)).numpy(),
            model.subreddits().numpy(),
        )
    accuracy = evaluate.judge(*vectors, asked)["accuracy"]
    error = accuracy.std() / len(accuracy) ** 0.5
    assert len(accuracy) > 200 and error < 0.03
    assert (accuracy.mean() > 0.5 + 3 * error) if share else abs(accuracy.mean() - 0.5) < 3 * error
    if share:
        assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3


def test_lightgcn_learns_too(tasty, tmp_path):
    torch.manual_seed(0)
    model = models.Transductive(tasty[2].inside, 16)
    _, losses = fitted(tasty, tmp_path, model=model, steps=60, rate=5e-2)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3


def test_pictures_that_show_tastes_are_matched_to_their_users(tasty, tmp_path):
    features, tastes, parts = tasty
    users = np.arange(0, parts.inside.n_users, 2)
    shown = train.Pictures(users, normalize(torch.from_numpy(tastes[users]), dim=-1))
    model, found = fresh(parts.inside, features, picture_width=tastes.shape[1]), []
    options = {"pictures": shown, "picture_weight": 0.5, "batch": 64, "rate": 1e-2}
    train.train(model, parts.inside, tmp_path, steps=60, on_step=lambda _, f: found.append(f), **options)
    picture = [f["picture"] for f in found]
    assert np.mean(picture[-10:]) < np.mean(picture[:10]) - 0.3
    assert all(f["loss"] == pytest.approx(f["link"] + 0.5 * f["picture"], rel=1e-6) for f in found)
    assert {"link", "picture", "loss"} <= set(read_log(tmp_path)[-1])


def test_all_ways_to_find_negatives_run_and_differ(tasty, tmp_path):
    found = {}
    for negatives in train.NEGATIVES:
        model, losses = fitted(tasty, tmp_path / negatives, steps=3, negatives=negatives)
        assert np.isfinite(losses).all() and weights(model).isfinite().all()
        found[negatives] = losses[0]
    assert found["close"] > found["batch"]  # the same users and positives, and more to tell them from
    assert len({round(one, 6) for one in found.values()}) == 3


# what stays the same


def test_the_same_seed_gives_the_same_weights(tasty, tmp_path):
    first, again, other = (
        weights(fitted(tasty, tmp_path / str(i), steps=5, seed=seed)[0]) for i, seed in enumerate((1, 1, 2))
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_run_that_was_stopped_and_taken_up_ends_as_an_undisturbed_one(tasty, tmp_path):
    options = {"steps": 60, "every": 20, "negatives": "sampled"}
    whole, losses = fitted(tasty, tmp_path / "whole", **options)

    def stop(i, _):
        if i == 47:
            raise KeyboardInterrupt

    features, _, parts = tasty
    with pytest.raises(KeyboardInterrupt):
        train.train(
            fresh(parts.inside, features),
            parts.inside,
            tmp_path / "cut",
            batch=64,
            rate=1e-2,
            on_step=stop,
            **options,
        )
    taken_up, rest = fitted(tasty, tmp_path / "cut", model=fresh(parts.inside, features, seed=9), **options)
    assert torch.equal(weights(taken_up), weights(whole)) and rest == losses[40:]
    again, nothing = fitted(tasty, tmp_path / "cut", model=fresh(parts.inside, features, seed=8), **options)
    assert nothing == [] and torch.equal(weights(again), weights(whole))


def test_edges_of_graphs_on_disk_train_the_same(tasty, tmp_path):
    inside = tasty[2].inside
    parts = inside.degrees, inside.subreddits, inside.posts, inside.comments
    graph_store.write(tmp_path / "g", [tuple(one.numpy() for one in parts)], COMMUNITIES)
    opened = graph_store.open_graph(tmp_path / "g")._replace(ids=inside.ids)  # on disk rows count anew
    mapped = tasty[0], tasty[1], tasty[2]._replace(inside=opened)
    one, other = (fitted(of, tmp_path / name, steps=4)[1] for name, of in (("a", tasty), ("b", mapped)))
    assert one == other


def test_graphs_for_gpus_are_widened_and_those_on_the_cpu_are_not_copied():
    made, _ = small()
    assert made.to("cpu").subreddits.data_ptr() == made.subreddits.data_ptr()
    away = made.to("meta")  # a device without memory, where GPUs' types can be looked at
    assert {part.dtype for part in away} == {torch.int64, torch.int32} and away.n_edges == made.n_edges


# what is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"negatives": "near"}, "negatives 'near'; expected one of"),
        ({"positives": "node"}, "positives 'node'; expected one of"),
        ({"pictures": train.Pictures(np.array([0]), torch.ones(1, 3))}, "without a head"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(tasty, tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        fitted(tasty, tmp_path, model=fresh(tasty[2].inside, tasty[0], kind=SAGEEncoder), steps=1, **options)


def test_close_negatives_need_descriptions(tasty, tmp_path):
    with pytest.raises(ValueError, match="without descriptions"):
        fitted(tasty, tmp_path, model=models.Transductive(tasty[2].inside, 8), negatives="close")


def test_a_batch_that_processes_cannot_share_is_refused(tasty, tmp_path, monkeypatch):
    monkeypatch.setattr(train.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(train.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(train.dist, "get_world_size", lambda: 3)
    with pytest.raises(ValueError, match="batch of 64 for 3 processes"):
        fitted(tasty, tmp_path)
