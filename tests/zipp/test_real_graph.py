"""The encoders on a real graph: who is active in which of a hundred subreddits (ConvoKit's small Reddit corpus).

Memberships only, so every edge counts 1; descriptions are the titles that subreddits had in 2013. Nothing was tuned on it.
"""

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from personalab.backends import embed
from personalab.zipp import evaluate, graph, models, split, train
from personalab.zipp.encoders import GATv2Encoder, SAGEEncoder, TfIdf, TfIdfNmi

DATA = os.environ.get("PERSONALAB_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="set PERSONALAB_DATA to the folder of real samples")


def memberships() -> tuple[list[str], graph.Graph]:
    """Names of the subreddits, and the graph of people who are in three or more."""
    file = Path(DATA) / "reddit_convokit_network" / "reddit_small_corpus_network_digraph.gml.gz"
    rows = []
    for node in gzip.open(file, "rt").read().split("edge [")[0].split("node [")[1:]:
        found = set(re.findall(r'subreddits "([^"]+)"', node)) - {"_networkx_list_start", "[]"}
        if "deleted_speaker" not in node and len(found) >= 3:
            rows.append(sorted(found))
    names = sorted({name for row in rows for name in row})
    place = {name: i for i, name in enumerate(names)}
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    subreddits = np.array([place[name] for row in rows for name in row])
    ones = np.ones(len(users), int)
    return names, graph.from_edges(users, subreddits, 0 * ones, ones, len(rows), len(names))


def descriptions(names: list[str]) -> list[str]:
    """The title each had in 2013, or its name."""
    manifest = json.loads((Path(DATA) / "reddit_top_2013" / "manifest.json").read_text())
    titles = {
        one["uri"].rstrip("/").split("/")[-1].lower(): one["name"].partition(": ")[2] for one in manifest
    }
    return [titles.get(name.lower()) or name for name in names]


def test_where_people_post_can_be_told_on_a_real_graph(tmp_path, capsys):
    names, made = memberships()
    features = torch.from_numpy(embed.load("minilm")(descriptions(names))).float()
    parts = split.divide(made, 0.7, seed=0)
    asked = evaluate.question(parts.outside, parts.unseen_targets, np.random.default_rng(0), most=3000)
    on, scale = (
        parts.inside,
        models.edge_scale(graph.messages(parts.inside, torch.arange(parts.inside.n_users))),
    )
    torch.manual_seed(0)
    made_of = {
        "TF-IDF": models.Statistical(TfIdf().fit(on.matrix()), features),
        "TF-IDF + NMI": models.Statistical(TfIdfNmi().fit(on.matrix()), features),
        "LightGCN": models.Transductive(on, 32),
        "GraphSAGE": models.Inductive(SAGEEncoder(features.shape[1], hidden=32), features, scale),
        "GAT": models.Inductive(GATv2Encoder(features.shape[1], hidden=32), features, scale),
    }
    accuracy = {}
    for name, model in made_of.items():
        if isinstance(model, torch.nn.Module):
            train.train(model, on, tmp_path / name, steps=200, batch=256, rate=5e-3)
        with torch.no_grad():
            vectors = model.users(asked.graph, torch.from_numpy(asked.users)).numpy()
            accuracy[name] = evaluate.judge(vectors, model.subreddits().numpy(), asked)["accuracy"]
    with capsys.disabled():
        print(
            f"\n{made.n_users} people, {made.n_subreddits} subreddits, {made.n_edges} edges; {len(asked.users)} unseen asked"
        )
        for name, one in accuracy.items():
            print(f"{name:14} {100 * one.mean():.1f} +- {196 * one.std() / len(one) ** 0.5:.1f} %")
    for name, one in accuracy.items():
        assert one.mean() - 0.5 > 2 * one.std() / len(one) ** 0.5, name
