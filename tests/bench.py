"""How fast scoring and retrieval are on one core, beside a plain reading of the formulas (`make bench`).

Embeddings are synthetic and given, so no encoder's time is in the figures. Times are CPU time of one thread,
which other programs on the machine disturb less than the clock on the wall. The plain loops run on fewer
personas; their figures are scaled to the full number.
"""

import math
import resource
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from personalab.records import CATEGORIES
from personalab.vptt import score
from personalab.vptt.retrieve import memorise, retrieve, vprag

PERSONAS, PROMPTS, CAPTIONS, WIDTH, WORDS, QUERIES = 1000, 20, 30, 384, 75, 4
SAMPLE = 20  # personas for the plain loops
MANY = 10_000  # personas for the peak of memory
BUDGETS = {category: 3 for category in CATEGORIES}


def embeddings(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Unit vectors in float32 with a common drift, as an encoder gives them."""
    x = rng.standard_normal((*shape, WIDTH), dtype=np.float32)
    x += rng.standard_normal(WIDTH, dtype=np.float32)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return x


def texts(rng: np.random.Generator, n: int, vocabulary: list[str]) -> list[str]:
    return [" ".join(row) for row in rng.choice(vocabulary, (n, WORDS)).tolist()]


def score_all(prompts, captions, persona, prompt_texts, caption_texts) -> np.ndarray:
    """The four terms of one persona's prompts, (n,)."""
    pa = score.persona_alignment(prompts, persona)
    b = score.basis(captions)
    gs = score.gs_reconstruction(prompts, captions, basis=b)
    cp = score.cluster_proximity(prompts, captions, basis=b)
    return score.vptt(pa, gs, cp, score.novelty(prompt_texts, caption_texts))


def score_plain(prompts, captions, persona, prompt_texts, caption_texts, themes=None) -> np.ndarray:
    """The same, prompt by prompt and formula by formula; scikit-learn's k-means may be given themes to start from."""
    out = []
    for v, text in zip(prompts.astype(float), prompt_texts, strict=True):
        rows = []
        for c in captions.astype(float):
            rest = c - sum((c @ b) * b for b in rows)
            if np.linalg.norm(rest) > 1e-4:
                rows.append(rest / np.linalg.norm(rest))
        b = np.array(rows).T
        pa = v @ persona / np.linalg.norm(v) / np.linalg.norm(persona)
        gs = np.linalg.norm(b.T @ v) / np.linalg.norm(v)
        init = "k-means++" if themes is None else themes @ b
        centroids = KMeans(5, init=init, n_init=1, random_state=0).fit(captions @ b).cluster_centers_
        cp = math.exp(-min(np.linalg.norm(b.T @ v - c) for c in centroids))
        own = score.trigrams(text)
        nv = 1 - max(len(own & score.trigrams(c)) for c in caption_texts) / len(own)
        out.append(0.2 * pa + 0.3 * gs + 0.3 * cp + 0.2 * nv)
    return np.array(out)


def retrieve_plain(query, persona, embed, budgets, tau=0.1) -> dict[str, list[str]]:
    """Algorithm 1 with remainders, in loops over vectors looked up one by one."""

    def cos(a, b):
        a, b = embed([a])[0].astype(float), embed([b])[0].astype(float)
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    e = [math.exp(cos(query, post.caption) / tau) for post in persona.posts]
    w = [x / sum(e) for x in e]
    n_eff = math.exp(-sum(x * math.log(x) for x in w))
    k = min(math.floor(n_eff + 1e-9), 2 * sum(budgets.values()))
    top = sorted(range(len(w)), key=lambda i: -w[i])[:k]
    chosen = {}
    for category in sorted(budgets, key=lambda name: -cos(query, name)):
        seen, lists = set(), []
        for i in top:
            lists.append([t for t in dict.fromkeys(persona.posts[i].elements[category]) if t not in seen])
            seen.update(lists[-1])
        total = sum(w[i] * len(x) for i, x in zip(top, lists, strict=True))
        due = [w[i] * len(x) / total * budgets[category] for i, x in zip(top, lists, strict=True)]
        q = [min(math.floor(d + 1e-9), len(x)) for d, x in zip(due, lists, strict=True)]
        order = sorted(range(k), key=lambda j: -(due[j] - math.floor(due[j] + 1e-9)))
        while sum(q) < min(budgets[category], len(seen)):
            for j in order:
                if q[j] < len(lists[j]) and sum(q) < min(budgets[category], len(seen)):
                    q[j] += 1
        near = {t: cos(query, t) for t in seen}
        picked = [t for x, n in zip(lists, q, strict=True) for t in sorted(x, key=lambda t: -near[t])[:n]]
        chosen[category] = sorted(picked, key=lambda t: -near[t])
    return chosen


def synthetic_persona(rng: np.random.Generator, name: int) -> SimpleNamespace:
    """30 posts, three elements a category each, from 40 elements a category."""
    picks = rng.integers(40, size=(CAPTIONS, len(CATEGORIES), 3))
    posts = [
        SimpleNamespace(
            caption=f"caption {name} {i}",
            elements={c: [f"{c} {e}" for e in picks[i, j]] for j, c in enumerate(CATEGORIES)},
        )
        for i in range(CAPTIONS)
    ]
    return SimpleNamespace(posts=posts)


def seconds(function) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def bench_scoring(rng: np.random.Generator) -> list[dict]:
    vocabulary = [f"word{i}" for i in range(2000)]
    # 30 captions and 20 prompts a persona; ten galleries of text in turn, so that writing them is quick
    written = [(texts(rng, PROMPTS, vocabulary), texts(rng, CAPTIONS, vocabulary)) for _ in range(10)]
    x = embeddings(rng, MANY, PROMPTS + CAPTIONS + 1)

    def arguments(i):
        return x[i, :PROMPTS], x[i, PROMPTS:-1], x[i, -1], *written[i % 10]

    # the draws differ from scikit-learn's, but it must not move the themes they lead to
    themes = score.themes(arguments(0)[1])
    assert np.allclose(score_all(*arguments(0)), score_plain(*arguments(0), themes), atol=1e-4)
    ours = seconds(lambda: [score_all(*arguments(i)) for i in range(PERSONAS)])
    plain = seconds(lambda: [score_plain(*arguments(i)) for i in range(SAMPLE)]) * PERSONAS / SAMPLE
    rest = seconds(lambda: [score_all(*arguments(i)) for i in range(PERSONAS, MANY)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        row(f"score {PERSONAS} personas x {PROMPTS} prompts", "s", ours, plain, 5),
        row(f"score {MANY} personas x {PROMPTS} prompts", "s", ours + rest, plain * MANY / PERSONAS),
        row(f"peak memory of the process after those {MANY}", "GiB", peak, limit=4),
    ]


def bench_retrieval(rng: np.random.Generator) -> list[dict]:
    names = [f"{c} {e}" for c in CATEGORIES for e in range(40)] + list(CATEGORIES)
    names += [f"query {q}" for q in range(QUERIES)]
    names += [f"caption {p} {i}" for p in range(PERSONAS) for i in range(CAPTIONS)]
    table, place = embeddings(rng, len(names)), {name: i for i, name in enumerate(names)}

    def embed(wanted):
        return table[[place[text] for text in wanted]]

    personas = [synthetic_persona(rng, name) for name in range(PERSONAS)]
    queries = [f"query {q}" for q in range(QUERIES)]
    given = embed(queries)
    memories = [memorise(persona, embed, embed, CATEGORIES) for persona in personas]
    first = [r.elements for r in retrieve(memories[0], queries, given, given, BUDGETS, 0.1)]
    assert first == [retrieve_plain(q, personas[0], embed, BUDGETS) for q in queries]

    def anew(persona):
        return retrieve(memorise(persona, embed, embed, CATEGORIES), queries, given, given, BUDGETS, 0.1)

    few = memories[:SAMPLE]
    single = seconds(lambda: [retrieve(m, queries[:1], given[:1], given[:1], BUDGETS, 0.1) for m in few])
    whole = seconds(lambda: [vprag(queries[0], p, embed, embed, BUDGETS, 0.1) for p in personas[:SAMPLE]])
    plain = seconds(lambda: [retrieve_plain(queries[0], p, embed, BUDGETS) for p in personas[:SAMPLE]])
    batch = seconds(lambda: [retrieve(m, queries, given, given, BUDGETS, 0.1) for m in memories])
    both = seconds(lambda: [anew(persona) for persona in personas])
    scaled = plain / SAMPLE * PERSONAS * QUERIES
    return [
        row(
            "retrieve, one query, memory laid out before",
            "ms",
            single / SAMPLE * 1e3,
            plain / SAMPLE * 1e3,
            2,
        ),
        row("vprag, one query, memory laid out anew", "ms", whole / SAMPLE * 1e3, plain / SAMPLE * 1e3, 2),
        row(f"retrieve {PERSONAS} personas x {QUERIES} prompts", "s", batch, scaled, 2),
        row("... each memory laid out anew", "s", both, scaled, 2),
    ]


def row(what: str, unit: str, ours: float, plain: float = math.nan, limit: float = math.nan) -> dict:
    return {
        "what": what,
        "unit": unit,
        "ours": ours,
        "limit": limit,
        "plain loop": plain,
        "ratio": plain / ours,
    }


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        rows = bench_retrieval(np.random.default_rng(0)) + bench_scoring(np.random.default_rng(1))
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format, na_rep="-"))
    print(f"CPU time, one thread; plain loops on {SAMPLE} personas, scaled to the full number")


if __name__ == "__main__":
    main()
