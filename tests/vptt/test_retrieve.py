"""VPRAG's retrieval against hand-worked cases, a plain reading of Algorithm 1, and its invariants."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy

from personalab.vptt.arrays import plain
from personalab.vptt.retrieve import (
    attention,
    best_elements,
    effective_posts,
    memorise,
    quotas,
    retrieve,
    select_posts,
    vprag,
)

CATEGORIES = ("objects", "lighting", "actions")
WEIGHT = st.one_of(st.just(0.0), st.floats(0, 1, allow_subnormal=True))


def embedder(d: int, dtype: type = float):
    """A function list[str] -> (n, d): a fixed random direction for each text."""

    def embed(texts):
        rows = [np.random.default_rng(list(text.encode())).normal(size=d) + 0.5 for text in texts]
        return np.array(rows, dtype=dtype)

    return embed


def table(**vectors):
    return lambda texts: np.array([vectors[text] for text in texts], dtype=float)


def persona(*posts):
    return SimpleNamespace(posts=[SimpleNamespace(caption=caption, elements=e) for caption, e in posts])


@st.composite
def personas(draw):
    texts = st.lists(st.sampled_from("abcdefgh"), max_size=5)
    elements = st.dictionaries(st.sampled_from(CATEGORIES), texts)
    return persona(*((f"caption {i}", draw(elements)) for i in range(draw(st.integers(0, 6)))))


# --- attention, effective posts, selection


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(0.01, 10))
def test_attention_is_scipys_softmax(similarities, tau):
    expected = softmax(np.array(similarities) / tau)
    assert attention(np.array(similarities), tau) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert attention(torch.tensor(similarities, dtype=torch.float64), tau).numpy() == pytest.approx(
        expected, rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize("tau", [5e-324, 1e-300, 1e-9, 1.0, 1e300, math.inf])
@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_attention_at_extreme_temperatures(tau, make):
    weights = attention(make([[0.2, 0.9, 0.9], [-1.0, 0.0, 1.0]]), tau)
    assert np.asarray(weights.sum(-1)) == pytest.approx([1, 1])
    if tau < 1e-6:
        assert np.asarray(weights) == pytest.approx(np.array([[0, 0.5, 0.5], [0, 0, 1]]))
    if tau > 1e200:
        assert np.asarray(weights) == pytest.approx(np.full((2, 3), 1 / 3))


@pytest.mark.parametrize("tau", [0, -0.1, math.nan])
def test_attention_refuses_temperatures_that_are_none(tau):
    with pytest.raises(ValueError, match="tau"):
        attention(np.zeros(3), tau)


def test_attention_keeps_the_gradient():
    s = torch.tensor([0.1, 0.4, -0.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: effective_posts(attention(s, 0.3)), s)


@given(st.lists(st.floats(1e-3, 1), min_size=1, max_size=30))
def test_effective_posts_is_the_exponential_of_scipys_entropy(weights):
    w = np.array(weights)
    assert effective_posts(w) == pytest.approx(np.exp(entropy(w)))
    assert effective_posts(torch.tensor(w)).item() == pytest.approx(np.exp(entropy(w)))
    assert effective_posts(np.stack([w, w])) == pytest.approx(np.exp(entropy(w)))


def test_extremes_of_effective_posts():
    assert effective_posts(np.array([0.0, 1.0, 0.0])) == 1
    assert effective_posts(np.full(8, 1 / 8)) == pytest.approx(8)
    assert effective_posts(np.zeros(3)) == 1


@pytest.mark.parametrize("n", range(1, 101))
def test_n_equal_posts_count_as_n(n):
    """Without the 1e-9, exp(log n) comes out below n for some n and a post is lost."""
    assert select_posts(np.full(n, 1 / n), 100).tolist() == list(range(n))


def test_thirty_equal_similarities_keep_thirty_posts():
    assert len(select_posts(attention(np.full(30, 0.37), 0.1), 24)) == 30


def test_selection_by_hand():
    w = np.array([0.25, 0.4, 0.1, 0.25])  # n_eff = exp(1.29) = 3.63, so K = 3
    assert select_posts(w, 24).tolist() == [1, 0, 3]
    assert select_posts(w, 1).tolist() == [1, 0]
    assert select_posts(w, 0).tolist() == []
    assert select_posts(np.zeros(0), 3).tolist() == []


# --- quotas


@pytest.mark.parametrize(
    ("weights", "counts", "budget", "largest", "printed"),
    [
        # due 1.5, 0.9, 0.6: floors 1, 0, 0; the two left go to fractions .9 and .6
        ([0.5, 0.3, 0.2], [4, 4, 4], 3, [1, 1, 1], [1, 0, 0]),
        # due 2.25, 0.5, 0.25: one left, fraction .5 first
        ([0.5, 0.1, 0.05], [9, 10, 10], 3, [2, 1, 0], [2, 0, 0]),
        # due 2.7, 0.2, 0.1: post 0 has one only, the rest goes round
        ([0.9, 0.2 / 3, 0.1 / 3], [1, 1, 1], 3, [1, 1, 1], [1, 0, 0]),
        # equal fractions: lower index first
        ([0.25] * 4, [2, 2, 2, 2], 3, [1, 1, 1, 0], [0, 0, 0, 0]),
        # more is wanted than there is
        ([0.6, 0.4], [1, 2], 9, [1, 2], [1, 2]),
        # whole shares stay whole although .1 + .2 is not .3 in floating point
        ([0.1, 0.2, 0.3], [1, 1, 1], 6, [1, 1, 1], [1, 1, 1]),
        ([0.1, 0.2, 0.3], [6, 6, 6], 6, [1, 2, 3], [1, 2, 3]),
        # no weight on the posts that have something
        ([1.0, 0.0, 0.0], [0, 3, 3], 3, [0, 2, 1], [0, 1, 1]),
        ([0.0, 0.0], [2, 2], 2, [1, 1], [1, 1]),
        ([1.0], [5], 0, [0], [0]),
        ([], [], 3, [], []),
    ],
)
def test_quotas_by_hand(weights, counts, budget, largest, printed):
    assert quotas(weights, counts, budget).tolist() == largest
    assert quotas(weights, counts, budget, remainder="none").tolist() == printed


@given(st.lists(st.tuples(WEIGHT, st.integers(0, 60)), max_size=30), st.integers(0, 200))
def test_quotas_hand_out_all_that_can_be_had(pairs, budget):
    w, n = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], int)
    q, printed = quotas(w, n, budget), quotas(w, n, budget, remainder="none")
    assert q.dtype.kind == "i" and q.sum() == min(budget, n.sum())
    assert (0 <= printed).all() and (printed <= q).all() and (q <= n).all()


@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 6)), min_size=1, max_size=12), st.integers(0, 40)
)
def test_quotas_are_a_plain_reading_of_the_rule(pairs, budget):
    w, n = zip(*pairs, strict=True)
    total = sum(wi * ni for wi, ni in pairs)
    due = [wi * ni / total * budget if total else 0 for wi, ni in pairs]
    plain = [min(math.floor(x + 1e-9), ni) for x, ni in zip(due, n, strict=True)]
    order = sorted(range(len(w)), key=lambda i: -round(due[i] - math.floor(due[i] + 1e-9), 9))
    while sum(plain) < min(budget, sum(n)):
        for i in order:
            if plain[i] < n[i] and sum(plain) < min(budget, sum(n)):
                plain[i] += 1
    assert quotas(w, n, budget).tolist() == plain


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], [1, 2], 3), "shape"),
        (([-0.5], [1], 3), "not negative"),
        (([math.nan], [1], 3), "finite"),
        (([0.5], [1], -1), "not negative"),
        (([0.5], [1], 1, "most"), "remainder"),
    ],
)
def test_quotas_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        quotas(*arguments)


# --- the whole retrieval

KITE = persona(
    ("beach", {"objects": ["kite", "shell"], "lighting": ["noon"]}),
    ("office", {"objects": ["lamp"], "lighting": ["neon", "noon"]}),
    ("dunes", {"objects": ["shell", "kite", "boot"]}),
)
POST = table(
    walk=[1, 0],
    beach=[1, 0],
    office=[0, 1],
    dunes=[0.8, 0.6],
    objects=[0, 1],
    lighting=[1, 0],
    actions=[0, 1],
)
ELEMENT = table(
    walk=[1, 0], objects=[1, 0], lighting=[0, 1], actions=[0.6, 0.8],
    kite=[0.6, 0.8], shell=[0.8, 0.6], boot=[1, 0], lamp=[0, 1], noon=[0, 0], neon=[-1, 0],
)  # fmt: skip
BUDGETS = {"lighting": 2, "objects": 3, "actions": 1}


def test_retrieval_by_hand():
    r = vprag("walk", KITE, POST, ELEMENT, BUDGETS, tau=1.0)
    assert r.similarities == pytest.approx([1, 0, 0.8])
    assert r.weights == pytest.approx(np.exp([1, 0, 0.8]) / np.exp([1, 0, 0.8]).sum())
    assert r.entropy == pytest.approx(entropy(r.weights)) and r.n_eff == pytest.approx(2.79, abs=0.01)
    assert (r.budget, r.k, r.posts.tolist()) == (6, 2, [0, 2])
    assert list(r.priorities.items()) == [("objects", 1.0), ("actions", 0.6), ("lighting", 0.0)]
    # "kite" and "shell" stand in both posts and count for the first, so "dunes" offers only "boot"
    assert {c: n.tolist() for c, n in r.counts.items()} == {
        "objects": [2, 1],
        "actions": [0, 0],
        "lighting": [1, 0],
    }
    assert {c: q.tolist() for c, q in r.quotas.items()} == {
        "objects": [2, 1],
        "actions": [0, 0],
        "lighting": [1, 0],
    }
    assert list(r.ranked["objects"].texts) == ["boot", "shell", "kite"]
    assert r.ranked["objects"].posts.tolist() == [2, 0, 0]
    assert r.ranked["objects"].similarities.tolist() == [1.0, 0.8, 0.6]
    assert r.elements == {"objects": ["boot", "shell", "kite"], "actions": [], "lighting": ["noon"]}
    assert list(r.elements) == list(r.priorities)


def test_a_post_gives_its_most_similar_elements():
    r = vprag("walk", KITE, POST, ELEMENT, {"objects": 1}, tau=1.0)
    assert r.posts.tolist() == [0, 2] and r.quotas["objects"].tolist() == [1, 0]
    assert r.elements == {"objects": ["shell"]}  # "boot" is nearer, but stands in the post without a quota


def test_priority_by_the_post_embedder_is_algorithm_1():
    r = vprag("walk", KITE, POST, ELEMENT, BUDGETS, 1.0, priority="post")
    assert list(r.priorities.items()) == [("lighting", 1.0), ("objects", 0.0), ("actions", 0.0)]


def test_the_printed_rule_and_a_total_budget():
    printed = vprag("walk", KITE, POST, ELEMENT, {"objects": 2}, 1.0, remainder="none")
    assert printed.quotas["objects"].tolist() == [1, 0]
    assert vprag("walk", KITE, POST, ELEMENT, BUDGETS, math.inf).k == 3
    assert vprag("walk", KITE, POST, ELEMENT, BUDGETS, math.inf, total=1).k == 2


def test_three_phrases_in_all():
    one_each = vprag("walk", KITE, POST, ELEMENT, {c: 1 for c in BUDGETS}, math.inf, total=3)
    assert one_each.posts.tolist() == [
        0,
        1,
        2,
    ]  # equal weights: the first post with objects gives its nearest
    assert best_elements(one_each) == {"objects": ["shell"], "lighting": ["noon"]}
    assert best_elements(one_each, n=1) == {"objects": one_each.elements["objects"]}
    three_each = vprag("walk", KITE, POST, ELEMENT, {c: 3 for c in BUDGETS}, math.inf, total=3)
    assert sum(map(len, best_elements(three_each, rule="overall").values())) == 3
    with pytest.raises(ValueError, match="rule"):
        best_elements(one_each, rule="best")


def test_overall_takes_the_most_similar_of_all():
    who = persona(
        ("beach", {"objects": ["kite", "lamp"], "lighting": ["boot", "shell"], "actions": ["boot"]})
    )
    r = vprag("walk", who, POST, ELEMENT, {c: 3 for c in CATEGORIES}, 0.1, total=3)
    assert best_elements(r, rule="overall") == {
        "actions": ["boot"],
        "lighting": ["shell"],
        "objects": ["kite"],
    }
    assert best_elements(r, rule="category") == {
        "objects": ["kite"],
        "actions": ["boot"],
        "lighting": ["shell"],
    }


@given(
    personas(),
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
    st.sampled_from([5e-324, 0.01, 0.1, 1.0, math.inf]),
    st.sampled_from(["element", "post"]),
)
def test_invariants(who, sizes, tau, priority):
    budgets = dict(zip(CATEGORIES, sizes, strict=True))
    r = vprag("a query", who, embedder(5), embedder(4), budgets, tau, priority)
    assert np.isfinite(r.weights).all() and r.k == len(r.posts) <= 2 * sum(sizes)
    assert list(r.priorities.values()) == sorted(r.priorities.values(), reverse=True)
    for category, chosen in r.elements.items():
        offered = {text for i in r.posts for text in who.posts[i].elements.get(category, [])}
        assert set(r.ranked[category].texts) == offered and len(r.ranked[category].texts) == len(offered)
        assert r.quotas[category].sum() == len(chosen) == min(budgets[category], len(offered))
        assert set(chosen) <= offered and len(set(chosen)) == len(chosen)
        nearness = dict(zip(r.ranked[category].texts, r.ranked[category].similarities, strict=True))
        assert [nearness[t] for t in chosen] == sorted((nearness[t] for t in chosen), reverse=True)
        for text, post in zip(r.ranked[category].texts, r.ranked[category].posts, strict=True):
            holders = [i for i in r.posts if text in who.posts[i].elements.get(category, [])]
            assert post == holders[0]


@given(personas())
def test_zero_vectors_are_equally_far_and_never_nan(who):
    r = vprag("q", who, lambda t: np.zeros((len(t), 3)), lambda t: np.zeros((len(t), 3)), {"objects": 2}, 0.1)
    assert not r.similarities.any() and r.weights == pytest.approx(
        np.full(len(who.posts), 1 / max(len(who.posts), 1))
    )
    assert r.posts.tolist() == list(range(min(len(who.posts), 4)))


def test_equal_captions_go_by_index():
    who = persona(*((("same", {"objects": [f"thing {i}"]})) for i in range(30)))
    for d in (3, 64, 384):
        assert vprag("q", who, embedder(d), embedder(d), {"objects": 30}, 0.1).posts.tolist() == list(
            range(30)
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_gives_what_single_queries_give(dtype):
    rng = np.random.default_rng(0)
    who = persona(
        *(
            (f"caption {i}", {c: [f"{c} {rng.integers(60)}" for _ in range(4)] for c in CATEGORIES})
            for i in range(30)
        )
    )
    post, element, queries = embedder(64, dtype), embedder(32, dtype), ["a park", "a party", "my desk"]
    memory = memorise(who, post, element, tuple(BUDGETS))
    batch = retrieve(memory, queries, post(queries), element(queries), BUDGETS, 0.1)
    for query, r in zip(queries, batch, strict=True):
        single = vprag(query, who, post, element, BUDGETS, 0.1)
        assert (single.query, single.elements, single.posts.tolist()) == (query, r.elements, r.posts.tolist())
        assert single.weights == pytest.approx(r.weights)


@pytest.mark.parametrize("priority", ["element", "post"])
def test_each_embedder_is_called_once_and_lengths_play_no_part(priority):
    calls = []

    def counted(embed, scale=1.0):
        def call(texts):
            calls.append(list(texts))
            return scale * embed(texts)

        return call

    memory = memorise(KITE, counted(POST), counted(ELEMENT, 7), tuple(BUDGETS), priority)
    assert len(calls) == 2 and calls[0][:3] == ["beach", "office", "dunes"]
    assert memory.texts.tolist() == ["noon", "neon", "kite", "shell", "lamp", "boot"]
    assert memory.category.tolist() == [0, 0, 1, 1, 1, 1]
    holders = np.split(memory.occurrence, memory.start[1:])
    assert [posts.tolist() for posts in holders] == [[0, 1], [1], [0, 2], [0, 2], [1], [2]]
    (r,) = retrieve(memory, ["walk"], POST(["walk"]), 3 * ELEMENT(["walk"]), BUDGETS, 1.0)
    plain_lengths = vprag("walk", KITE, POST, ELEMENT, BUDGETS, 1.0, priority)
    assert r.elements == plain_lengths.elements and r.priorities == plain_lengths.priorities
    assert r.ranked["objects"].similarities.tolist() == [1.0, 0.8, 0.6]


def test_torch_embedders_and_integer_vectors():
    exact = vprag("walk", KITE, POST, ELEMENT, BUDGETS, 1.0)
    by_torch = vprag(
        "walk", KITE, lambda t: torch.tensor(POST(t)), lambda t: torch.tensor(ELEMENT(t)), BUDGETS, 1.0
    )
    assert by_torch.elements == exact.elements
    flat = table(walk=[2, 1], kite=[1, 1], objects=[1, 0])
    whole = vprag("walk", persona(("walk", {"objects": ["kite"]})), lambda t: flat(t).astype(int),
                  lambda t: flat(t).astype(int), {"objects": 1}, 1.0)  # fmt: skip
    assert whole.ranked["objects"].similarities == pytest.approx([3 / math.sqrt(10)])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="priority"):
        vprag("walk", KITE, POST, ELEMENT, BUDGETS, 1.0, priority="both")
    with pytest.raises(ValueError, match="budgets"):
        vprag("walk", KITE, POST, ELEMENT, {"objects": -1}, 1.0)
    with pytest.raises(ValueError, match="NaN"):
        vprag("walk", KITE, lambda t: np.full((len(t), 2), np.nan), ELEMENT, BUDGETS, 1.0)
    with pytest.raises(ValueError, match="shape"):
        vprag("walk", KITE, lambda t: np.zeros(2), ELEMENT, BUDGETS, 1.0)
    memory = memorise(KITE, POST, ELEMENT, ("objects",))
    with pytest.raises(ValueError, match="budgets"):
        retrieve(memory, ["walk"], POST(["walk"]), ELEMENT(["walk"]), BUDGETS, 1.0)


# --- what callers hand in

KINDS = {
    "list": lambda x: x,
    "list of tensors": lambda x: [torch.tensor(v, dtype=torch.float64) for v in x],
    "tensor": lambda x: torch.tensor(x, dtype=torch.float64),
    "gradient": lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True),
    "bfloat16": lambda x: torch.tensor(x, dtype=torch.bfloat16),
    "float32": np.float32,
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_allocation_takes_every_kind_of_number(kind):
    weights = kind([0.25, 0.5, 0.25])  # exact in every type; H = 1.5 ln 2
    assert plain(effective_posts(weights)) == pytest.approx(2 * math.sqrt(2), rel=0.01)
    assert select_posts(weights, 5).tolist() == [1, 0]
    assert quotas(weights, kind([4, 4, 4]), 4).tolist() == [1, 2, 1]
    expected = softmax([0.5, 1, 0.5])
    assert plain(attention(weights, 0.5)) == pytest.approx(expected, rel=0.01)


@pytest.mark.filterwarnings("error")
def test_whole_numbers_are_similarities_and_weights_too():
    whole = torch.tensor([1, 0, 1])
    assert attention(whole, 1.0).dtype == torch.float32
    assert attention(whole, 1.0).tolist() == pytest.approx(softmax([1.0, 0, 1]), rel=1e-6)
    assert attention([1, 0, 1], 1.0) == pytest.approx(softmax([1.0, 0, 1]))
    assert effective_posts(whole) == pytest.approx(2) and select_posts(whole, 3).tolist() == [0, 2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_embedders_in_training_and_in_half_precision(dtype):
    def learnt(embed):
        return lambda texts: torch.tensor(embed(texts), dtype=dtype, requires_grad=True)

    exact = vprag("walk", KITE, POST, ELEMENT, BUDGETS, 1.0)
    found = vprag("walk", KITE, learnt(POST), learnt(ELEMENT), BUDGETS, 1.0)
    rowwise = vprag("walk", KITE, lambda t: list(learnt(POST)(t)), learnt(ELEMENT), BUDGETS, 1.0)
    assert found.elements == rowwise.elements == exact.elements
    assert found.weights == pytest.approx(exact.weights, abs=0.01)
    items = memorise(KITE, learnt(POST), learnt(ELEMENT), ("objects",)).items
    assert items.dtype == (np.float32 if dtype == torch.float32 else np.float64)


def test_selection_asks_for_one_query():
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \(n,\)"):
        select_posts(np.ones((2, 3)), 2)
    with pytest.raises(ValueError, match="finite"):
        quotas([1.0, 1.0], [1, math.nan], 1)
