"""The VPTT score against hand-worked cases, plain readings of the formulas, SciPy and automatic gradients."""

import math
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import orth, subspace_angles
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import cosine_similarity

from personalab.vptt import score
from personalab.vptt.score import (
    basis,
    cluster_proximity,
    gs_reconstruction,
    novelty,
    persona_alignment,
    random_floor,
    soft_novelty,
    themes,
    trigram_phrases,
    trigrams,
    vptt,
    vptt_c,
)


def unit_rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Unit vectors with a common drift, as sentence embeddings have."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + rng.normal(size=d)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def gram_schmidt(captions: np.ndarray) -> np.ndarray:
    """The procedure the paper names, step by step; (d, rank)."""
    rows: list[np.ndarray] = []
    for v in captions:
        rest = v - sum((v @ b) * b for b in rows)
        if np.linalg.norm(rest) > 1e-6:
            rows.append(rest / np.linalg.norm(rest))
    return np.array(rows).T


CAPTIONS, PROMPTS = unit_rows(12, 40), unit_rows(6, 40, seed=1)
FLAT = arrays(float, (4, 5), elements=st.floats(-10, 10, width=32))

# --- PA and GS


def test_persona_alignment_is_sklearns_cosine():
    expected = cosine_similarity(PROMPTS, CAPTIONS[:1])[:, 0]
    assert persona_alignment(PROMPTS * 7, CAPTIONS[0] / 3) == pytest.approx(expected)
    assert persona_alignment([[3, 4], [0, 0], [-6, -8]], [6, 8]) == pytest.approx([1, 0, -1])


def test_reconstruction_is_the_cosine_with_the_gram_schmidt_projection():
    b = gram_schmidt(CAPTIONS)
    plain = [v @ (b @ (b.T @ v)) / np.linalg.norm(v) / np.linalg.norm(b @ (b.T @ v)) for v in PROMPTS]
    assert gs_reconstruction(PROMPTS, CAPTIONS) == pytest.approx(plain)
    angles = [np.cos(subspace_angles(CAPTIONS.T, v[:, None]))[0] for v in PROMPTS]
    assert gs_reconstruction(PROMPTS, CAPTIONS) == pytest.approx(angles)


def test_reconstruction_by_hand():
    captions = [[2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    prompts = [[0, 5, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert gs_reconstruction(prompts, captions) == pytest.approx([1, 0, math.sqrt(0.5), 0])


def test_basis_is_orthonormal_and_spans_what_scipy_finds():
    b, peer = basis(CAPTIONS), orth(CAPTIONS.T)
    assert b.T @ b == pytest.approx(np.eye(12), abs=1e-12)
    assert b @ b.T == pytest.approx(peer @ peer.T, abs=1e-12)


@pytest.mark.parametrize("noise", [0, 1e-9, 1e-7, 1e-6])
def test_near_duplicates_do_not_widen_the_span(noise):
    rng = np.random.default_rng(0)
    twice = np.concatenate([CAPTIONS, CAPTIONS + noise * rng.normal(size=CAPTIONS.shape)])
    assert basis(twice).shape == (40, 12)
    assert gs_reconstruction(PROMPTS, twice) == pytest.approx(gs_reconstruction(PROMPTS, CAPTIONS), abs=1e-4)
    q, _ = np.linalg.qr(twice.T)  # a plain QR counts rounding error as 12 more directions
    assert (
        noise == 0 or (np.linalg.norm(PROMPTS @ q, axis=1) > gs_reconstruction(PROMPTS, twice) + 0.02).all()
    )


@pytest.mark.parametrize("shape", [(30, 384), (60, 40), (12, 40), (1, 5)])
@pytest.mark.parametrize("share", [0.5e-4, 0.99e-4, 1.01e-4, 1e-2])
def test_the_rank_counts_singular_values_above_the_tolerance(shape, share):
    """Captions made so that one direction has exactly this share of the largest singular value."""
    rng, small = np.random.default_rng(3), min(shape)
    x = unit_rows(*shape)
    left, values, right = np.linalg.svd(x, full_matrices=False)
    values[-1] = share * values[0]
    x = (left * values) @ right
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.svd(x, compute_uv=False)
    b = basis(x + 1e-12 * rng.normal(size=shape))
    assert b.shape == (shape[1], (values > 1e-4 * values[0]).sum()) and b.shape[1] >= small - 1
    assert b.T @ b == pytest.approx(np.eye(b.shape[1]), abs=1e-12)
    kept = np.linalg.svd(x, full_matrices=False)[2][: b.shape[1]]
    assert b @ b.T == pytest.approx(kept.T @ kept, abs=1e-6)


def test_a_tolerance_below_what_squares_resolve():
    twice = np.concatenate([CAPTIONS, CAPTIONS + 1e-9 * np.random.default_rng(5).normal(size=CAPTIONS.shape)])
    assert basis(twice, tolerance=1e-12).shape == (40, 24) and basis(twice, tolerance=1e-7).shape == (40, 12)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("call", [basis, themes, lambda c: gs_reconstruction(PROMPTS, c)])
def test_captions_that_are_not_finite_are_named(call, bad):
    broken = CAPTIONS.copy()
    broken[2, 3] = bad
    with pytest.raises(ValueError, match="NaN"):
        call(broken)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_a_basis_given_saves_finding_it(make):
    b, p, c = make(basis(CAPTIONS)), make(PROMPTS), make(CAPTIONS)
    known = np.asarray(gs_reconstruction(p, c, basis=b))
    assert known == pytest.approx(gs_reconstruction(PROMPTS, CAPTIONS), rel=1e-12)
    for options in ({}, {"tau": 0.2}, {"centroids": c[:3]}):
        known = np.asarray(cluster_proximity(p, c, **options, basis=b))
        assert known == pytest.approx(np.asarray(cluster_proximity(p, c, **options)), rel=1e-12)
    turned = b @ make(np.linalg.qr(unit_rows(12, 12))[0])  # any orthonormal basis of the span will do
    assert np.asarray(gs_reconstruction(p, c, basis=turned)) == pytest.approx(
        gs_reconstruction(PROMPTS, CAPTIONS)
    )
    assert gs_reconstruction(p, c, basis=b[:, :0]).tolist() == [0] * 6
    assert cluster_proximity(p, c, basis=b[:, :0]).tolist() == [0] * 6
    with pytest.raises(ValueError, match="widths"):
        gs_reconstruction(p, c, basis=b[:30])


def test_random_directions_score_the_floor():
    captions = unit_rows(30, 384)
    prompts = np.random.default_rng(2).normal(size=(4000, 384))
    found = gs_reconstruction(prompts, captions)
    assert np.sqrt((found**2).mean()) == pytest.approx(random_floor(30, 384), abs=0.002)
    assert [round(random_floor(30, d), 2) for d in (1536, 384)] == [0.14, 0.28]


# --- CP


def test_proximity_by_hand():
    captions = np.eye(4)[:3]
    centroids = [[1, 0, 0, 9], [0, 2, 0, 0]]  # the 9 lies outside the span and falls away
    prompts = [[1, 0, 0, 0], [0, 0, 0, 3], [3, 2, 0, 0]]
    distances = np.array([[0, math.sqrt(5)], [1, 2], [math.sqrt(8), 3]])
    hard = cluster_proximity(prompts, captions, centroids=centroids)
    assert hard == pytest.approx(np.exp(-distances.min(1)))
    w = np.exp(-distances / 0.5)
    soft = cluster_proximity(prompts, captions, centroids=centroids, tau=0.5)
    assert soft == pytest.approx((w * np.exp(-distances)).sum(1) / w.sum(1))


def test_proximity_is_a_plain_reading_with_gram_schmidt_and_scipys_distances():
    groups = np.repeat(np.eye(40)[:3], 4, axis=0) + 0.02 * CAPTIONS  # themes no k-means can miss
    means = groups.reshape(3, 4, 40).mean(axis=1)
    b = gram_schmidt(groups)
    nearest = cdist(PROMPTS @ b, means @ b).min(axis=1)
    assert cluster_proximity(PROMPTS, groups, k=3) == pytest.approx(np.exp(-nearest))
    assert cluster_proximity(PROMPTS, groups, centroids=means) == pytest.approx(np.exp(-nearest))


def test_the_soft_form_tends_to_the_hard_one_and_the_printed_one_is_one():
    hard = cluster_proximity(PROMPTS, CAPTIONS)
    assert cluster_proximity(PROMPTS, CAPTIONS, tau=1e-4) == pytest.approx(hard, rel=1e-6)
    gaps = [np.abs(cluster_proximity(PROMPTS, CAPTIONS, tau=tau) - hard).max() for tau in (1, 0.1, 0.01)]
    assert gaps == sorted(gaps, reverse=True)
    d = cdist(PROMPTS, CAPTIONS[:5])
    printed = (np.exp(-d / 0.1) / np.exp(-d / 0.1).sum(axis=1, keepdims=True)).sum(axis=1)
    assert printed == pytest.approx(np.ones(6)) and np.ptp(hard) > 0.01


def test_the_shortcut_near_a_centroid():
    """A prompt put on a theme's centroid scores CP 1 and GS 1 whatever it says: known, and worth seeing."""
    centroid = CAPTIONS.mean(axis=0, keepdims=True)
    assert cluster_proximity(centroid, CAPTIONS, k=1) == pytest.approx([1])
    assert gs_reconstruction(centroid, CAPTIONS) == pytest.approx([1])
    assert cluster_proximity(PROMPTS, CAPTIONS, k=1).max() < 0.6


def test_clusters_are_fixed_by_the_seed_alone():
    first = cluster_proximity(PROMPTS, CAPTIONS, seed=3)
    np.random.seed(99)  # noqa: NPY002
    assert cluster_proximity(PROMPTS, CAPTIONS, seed=3).tobytes() == first.tobytes()
    assert any((cluster_proximity(PROMPTS, CAPTIONS, seed=s) != first).any() for s in range(4, 9))


def inertia(points: np.ndarray, centres: np.ndarray) -> float:
    return float(cdist(points, centres, "sqeuclidean").min(axis=1).sum())


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 10**6))
def test_each_theme_is_the_mean_of_the_captions_nearest_to_it(m, k, seed):
    captions = unit_rows(m, 60, seed)
    found = themes(captions, k, seed)
    nearest = cdist(captions, found).argmin(axis=1)
    assert found.shape == (min(k, m), 60)
    assert found == pytest.approx(np.stack([captions[nearest == i].mean(axis=0) for i in range(len(found))]))


@pytest.mark.parametrize("spread", [0.0, 2.0], ids=["no groups", "groups"])
def test_themes_are_as_tight_as_scikit_learns_and_stay_put_there(spread):
    """The draws differ from scikit-learn's; the quality of what they lead to does not."""
    ratios = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        captions = unit_rows(30, 40, seed) + spread * np.eye(40)[rng.integers(0, 5, size=30)]
        found = themes(captions, 5, seed)
        ratios.append(
            inertia(captions, found) / KMeans(5, n_init=1, random_state=seed).fit(captions).inertia_
        )
        again = KMeans(5, init=found, n_init=1).fit(captions)
        assert again.cluster_centers_ == pytest.approx(found)
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_themes_are_those_that_proximity_measures():
    groups = np.repeat(np.eye(40)[:3], 4, axis=0) + 0.02 * CAPTIONS
    found = themes(groups, 3)
    assert found[found[:, :3].argmax(axis=1).argsort()] == pytest.approx(
        groups.reshape(3, 4, 40).mean(axis=1)
    )
    for seed in range(5):
        given_themes = cluster_proximity(PROMPTS, CAPTIONS, centroids=themes(CAPTIONS, 4, seed))
        assert given_themes == pytest.approx(cluster_proximity(PROMPTS, CAPTIONS, k=4, seed=seed))
    tensor = themes(torch.tensor(CAPTIONS, dtype=torch.float32, requires_grad=True), 4)
    assert tensor.dtype == torch.float32 and not tensor.requires_grad
    assert tensor.numpy() == pytest.approx(themes(CAPTIONS, 4), abs=1e-5)
    assert themes(CAPTIONS, 4, seed=3).tobytes() == themes(CAPTIONS, 4, seed=3).tobytes()


def test_themes_of_few_or_no_points():
    twins = np.repeat(CAPTIONS[:2], 5, axis=0)
    rounded = twins + 1e-12 * np.random.default_rng(0).normal(size=twins.shape)
    assert themes(twins, 5).shape == themes(rounded, 5).shape == (2, 40)
    assert themes(CAPTIONS[0]) == pytest.approx(CAPTIONS[:1])
    assert themes(np.zeros((3, 40))).shape == themes(np.zeros((0, 40))).shape == (0, 40)
    with pytest.raises(ValueError, match="k is 0"):
        themes(CAPTIONS, 0)


def test_more_clusters_than_distinct_captions():
    twins = np.repeat(CAPTIONS[:2], 5, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cluster_proximity(PROMPTS, twins, k=5)
        assert cluster_proximity(PROMPTS, CAPTIONS[:1], k=5).shape == (6,)
    assert found == pytest.approx(cluster_proximity(PROMPTS, CAPTIONS[:2], centroids=CAPTIONS[:2]))


@given(FLAT, FLAT, st.integers(1, 6), st.sampled_from([None, 1e-300, 0.1, math.inf]))
def test_scores_stay_in_range_whatever_the_vectors(prompts, captions, k, tau):
    for found in (gs_reconstruction(prompts, captions), cluster_proximity(prompts, captions, k=k, tau=tau)):
        assert found.shape == (4,) and (found >= 0).all() and (found <= 1).all()
    assert (np.abs(persona_alignment(prompts, captions[0])) <= 1).all()


@pytest.mark.parametrize("captions", [np.zeros((3, 40)), np.zeros((0, 40))])
def test_captions_that_span_nothing(captions):
    assert basis(captions).shape == (40, 0)
    assert (
        gs_reconstruction(PROMPTS, captions).tolist()
        == cluster_proximity(PROMPTS, captions).tolist()
        == [0] * 6
    )


def test_bad_input_is_named():
    for function in (gs_reconstruction, cluster_proximity):
        with pytest.raises(ValueError, match="widths"):
            function(PROMPTS, CAPTIONS[:, :30])
    with pytest.raises(ValueError, match="k is 0"):
        cluster_proximity(PROMPTS, CAPTIONS, k=0)
    with pytest.raises(ValueError, match="tau"):
        cluster_proximity(PROMPTS, CAPTIONS, tau=0)


# --- NV


def test_novelty_by_hand():
    captions = ["A red kite over the wet beach", "the wet beach at noon, again"]
    # trigrams of the prompt: red-kite-over, kite-over-the, over-the-sea; two of three in the first caption
    assert novelty("Red kite, over the sea!", captions) == pytest.approx(1 / 3)
    assert novelty(
        ["over the wet beach at noon", "two words", "", captions[0].upper()], captions
    ) == pytest.approx([1 - 3 / 4, 1, 1, 0])
    assert novelty("a b c", []) == 1.0 and novelty([], captions).shape == (0,)
    assert novelty("the wet beach", "the wet beach") == 0.0 and isinstance(novelty("a b", "a b c"), float)


def test_words():
    assert trigrams("It’s a well-lit  street") == trigrams("it's A WELL lit street")
    assert trigrams("It's Zoë's 3rd") == {("it's", "zoë's", "3rd")}
    assert trigrams("so so so so") == {("so", "so", "so")}
    assert trigram_phrases("d c b a") == ["c b a", "d c b"]


@given(
    st.one_of(st.text(max_size=60), st.text("ab_'’.,-\x1c\tÉ9 ", max_size=60), st.text("ab'. ", max_size=60))
)
def test_trigrams_are_those_of_a_regular_expression(text):
    words = re.findall(r"\w+(?:'\w+)*", text.lower().replace("’", "'"))
    assert trigrams(text) == {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


@given(st.lists(st.text("ab ", max_size=40), max_size=4), st.lists(st.text("ab ", max_size=40), max_size=4))
def test_novelty_is_a_plain_reading(prompts, captions):
    def three(text):
        words = text.split()
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    plain = [
        1 - max((len(three(p) & three(c)) for c in captions), default=0) / len(three(p)) if three(p) else 1
        for p in prompts
    ]
    assert novelty(prompts, captions) == pytest.approx(plain)


def test_soft_novelty_is_a_plain_reading():
    prompt, captions = PROMPTS[:3], [CAPTIONS[:4], CAPTIONS[4:9], np.zeros((0, 40))]
    plain = max(cosine_similarity(prompt, c).max(axis=1).mean() for c in captions[:2])
    assert soft_novelty(prompt * 5, captions) == pytest.approx(1 - plain)
    assert soft_novelty(prompt, [prompt[::-1], captions[0]]) == pytest.approx(0)
    assert soft_novelty(prompt[:0], captions) == soft_novelty(prompt, []) == 1.0


# --- composites


def test_composites():
    assert vptt(1, 1, 1, 1) == pytest.approx(1) and vptt_c(1, 1, 1) == 1
    assert vptt(np.array([0.5, 0]), 0.4, 0.6, np.array([0, 1])) == pytest.approx([0.4, 0.5])
    assert vptt_c(0.3, 0.6, 0.9) == pytest.approx(0.6)


# --- torch

T = {"dtype": torch.float64}


@pytest.mark.parametrize(
    "term",
    [
        lambda p: persona_alignment(p, torch.tensor(CAPTIONS[0], **T)),
        lambda p: gs_reconstruction(p, torch.tensor(CAPTIONS, **T)),
        lambda p: cluster_proximity(p, torch.tensor(CAPTIONS, **T)),
        lambda p: cluster_proximity(p, CAPTIONS, tau=0.2),
        lambda p: soft_novelty(p, [CAPTIONS[:5], CAPTIONS[5:]]),
    ],
    ids=["PA", "GS", "CP hard", "CP soft", "NV soft"],
)
def test_gradients(term):
    assert torch.autograd.gradcheck(term, torch.tensor(PROMPTS[:2], **T, requires_grad=True))


@pytest.mark.parametrize("term", [gs_reconstruction, cluster_proximity])
def test_gradients_at_the_edges_are_finite(term):
    edges = torch.tensor(np.stack([np.zeros(40), CAPTIONS[0]]), **T, requires_grad=True)
    term(edges, CAPTIONS[:1]).sum().backward()
    assert torch.isfinite(edges.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_torch_agrees_with_numpy_and_keeps_its_type(dtype):
    p, c = torch.tensor(PROMPTS, dtype=dtype), torch.tensor(CAPTIONS, dtype=dtype)
    tolerance = 50 * torch.finfo(dtype).eps
    for tensor, array in [
        (persona_alignment(p, c[0]), persona_alignment(PROMPTS, CAPTIONS[0])),
        (gs_reconstruction(p, c), gs_reconstruction(PROMPTS, CAPTIONS)),
        (cluster_proximity(p, c, k=1), cluster_proximity(PROMPTS, CAPTIONS, k=1)),
    ]:
        assert tensor.dtype == dtype and array.dtype == np.float64
        assert tensor.double().numpy() == pytest.approx(array, abs=tolerance)


def test_ascent_raises_every_term():
    captions, persona = torch.tensor(CAPTIONS, **T), torch.tensor(CAPTIONS[0], **T)
    prompt = torch.randn(1, 40, generator=torch.Generator().manual_seed(0), **T).requires_grad_()

    def unit():
        return torch.nn.functional.normalize(prompt, dim=-1)

    terms = {
        "pa": lambda: persona_alignment(unit(), persona),
        "gs": lambda: gs_reconstruction(unit(), captions),
        "cp": lambda: cluster_proximity(unit(), captions, tau=0.1),
    }
    before = {name: term().item() for name, term in terms.items()}
    optimiser = torch.optim.Adam([prompt], lr=0.1, maximize=True)
    for _ in range(50):
        optimiser.zero_grad()
        vptt(*(term() for term in terms.values()), 0.0).sum().backward()
        optimiser.step()
    after = {name: term().item() for name, term in terms.items()}
    assert all(after[name] > before[name] + 0.1 for name in terms), (before, after)


def test_batch_and_single_agree():
    assert score.cluster_proximity(PROMPTS[2], CAPTIONS) == pytest.approx(
        cluster_proximity(PROMPTS, CAPTIONS)[2]
    )
    assert score.gs_reconstruction(PROMPTS[2], CAPTIONS) == pytest.approx(
        gs_reconstruction(PROMPTS, CAPTIONS)[2]
    )


# --- what callers hand in


def test_composites_take_lists_arrays_and_tensors():
    by_hand = [0.1 + 0.12 + 0.18 + 0.2, 0.3]
    pa, gs, cp, nv = [0.5, 0.0], [0.4, 1.0], [0.6, 0.0], [1, 0]
    for kind in (list, tuple, np.array, torch.tensor):
        assert np.asarray(vptt(kind(pa), kind(gs), kind(cp), kind(nv))) == pytest.approx(by_hand)
        assert np.asarray(vptt_c(kind(pa), kind(gs), kind(cp))) == pytest.approx([0.5, 1 / 3])
    assert isinstance(vptt(0.5, 0.4, 0.6, 1), float) and isinstance(vptt(pa, gs, cp, 1), np.ndarray)
    mixed = vptt(torch.tensor(pa, **T, requires_grad=True), gs, np.array(cp), 1)
    assert mixed.requires_grad and mixed.dtype == torch.float64
    assert mixed.tolist() == pytest.approx([by_hand[0], by_hand[1] + 0.2])
    assert vptt([torch.tensor(v) for v in pa], gs, cp, nv).tolist() == pytest.approx(by_hand)
    named = pd.Series(pa, index=["a", "b"])
    assert vptt_c(named, named, named).to_dict() == pytest.approx({"a": 0.5, "b": 0.0})


TERMS = {
    "PA": lambda p, c: persona_alignment(p, c[0]),
    "GS": gs_reconstruction,
    "CP": lambda p, c: cluster_proximity(p, c, k=2),
    "CP soft": lambda p, c: cluster_proximity(p, c, k=2, tau=0.5),
    "CP centroids": lambda p, c: cluster_proximity(p, c, centroids=c),
    "NV soft": lambda p, c: soft_novelty(p, [c, c[1:]]),
}
SMALL = [[3, 4, 0], [0, 1, 2]], [[6, 8, 0], [1, 0, 0]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
def test_every_kind_of_number_gives_the_same_score(term):
    p, c = SMALL
    exact = term(np.array(p, dtype=float), np.array(c, dtype=float))
    for result in (term(p, c), term(tuple(map(tuple, p)), np.array(c)), term(np.float32(p), np.float32(c))):
        assert isinstance(result, np.ndarray | float) and result == pytest.approx(exact)
    whole = term(torch.tensor(p), torch.tensor(c))
    assert whole.dtype == torch.float32 and whole.tolist() == pytest.approx(exact, abs=1e-6)
    learnt = [torch.tensor(row, **T, requires_grad=True) for row in p]
    listed = term(learnt, [torch.tensor(row, **T) for row in c])
    assert listed.dtype == torch.float64 and listed.tolist() == pytest.approx(exact)
    listed.sum().backward()
    assert all(torch.isfinite(row.grad).all() for row in learnt)
    half = term(torch.tensor(p, dtype=torch.bfloat16), np.array(c))
    assert half.dtype == torch.bfloat16 and half.tolist() == pytest.approx(exact, abs=0.03)
    fixed = np.array(c)
    fixed.flags.writeable = False
    assert term(torch.tensor(p), fixed).tolist() == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("term", [TERMS[name] for name in ("PA", "GS", "CP", "CP soft")])
def test_one_prompt_gives_one_score_and_no_prompt_none(term):
    p, c = np.array(SMALL[0], dtype=float), np.array(SMALL[1], dtype=float)
    one = term(p[0], c)
    assert isinstance(one, float) and one == pytest.approx(term(p, c)[0]) == pytest.approx(term(p[:1], c)[0])
    assert term(torch.tensor(p[0]), c).shape == () and term(torch.tensor(p[:1]), c).shape == (1,)
    for nothing in ([], np.zeros((0, 3)), np.zeros((0, 0)), np.array([])):
        assert term(nothing, c).shape == (0,)
    assert term(torch.zeros(0), c).shape == (0,)


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 3)), torch.zeros((0, 3)), np.zeros((2, 3))])
@pytest.mark.parametrize("term", [gs_reconstruction, cluster_proximity])
def test_no_captions_give_a_plain_zero(term, nothing):
    for prompts in (SMALL[0], [[-1.0, -2, 0], [-3, 1, 1]]):
        assert [str(v) for v in term(prompts, nothing).tolist()] == ["0.0", "0.0"]
    assert term([], []).shape == (0,)


def test_alignment_with_a_zero_vector_has_no_sign():
    assert str(persona_alignment([0.0], [-1.0])) == "0.0"


@pytest.mark.parametrize("term", [gs_reconstruction, cluster_proximity])
def test_one_caption_counts_as_a_set_of_one(term):
    for caption in (CAPTIONS[0], CAPTIONS[0].tolist(), torch.tensor(CAPTIONS[0])):
        assert np.asarray(term(PROMPTS, caption)) == pytest.approx(term(PROMPTS, CAPTIONS[:1]))
    assert basis(CAPTIONS[0]).shape == (40, 1)


def test_soft_novelty_of_nothing_keeps_the_callers_kind():
    assert soft_novelty([], [CAPTIONS]) == soft_novelty(PROMPTS, [[]]) == 1.0
    none = soft_novelty(torch.ones((2, 3), dtype=torch.int64), [])
    assert none.dtype == torch.float32 and none.item() == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_proximity(PROMPTS, CAPTIONS, centroids=np.zeros((0, 40))), r"\(0, 40\); expected"),
        (lambda: cluster_proximity(PROMPTS, CAPTIONS, centroids=[]), r"\(0, 40\); expected"),
        (lambda: cluster_proximity(PROMPTS, CAPTIONS[None]), r"\(1, 12, 40\); expected"),
        (lambda: gs_reconstruction(PROMPTS, CAPTIONS[None]), r"\(1, 12, 40\); expected"),
        (lambda: persona_alignment(PROMPTS, CAPTIONS[:1]), r"\(1, 40\); expected"),
        (lambda: persona_alignment(PROMPTS, []), r"\(0, 40\); expected"),
        (lambda: persona_alignment(3.0, CAPTIONS[0]), "single number; expected"),
        (lambda: soft_novelty(PROMPTS, CAPTIONS), r"\(40,\); expected"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
