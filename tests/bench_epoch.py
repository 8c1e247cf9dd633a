"""Invented communities at scale: how long the graph takes to write, and an epoch of the GATv2 encoder over it.

    python tests/bench_epoch.py --users 200000
    python tests/bench_epoch.py --users 22800000 --subreddits 32000 --activity 75 --batch 65536 --hidden 256 --device cuda

An epoch is as many users as there are, drawn as training draws them. With --steps fewer are timed and the epoch is
extrapolated, which the output says.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from personalab.world import users
from personalab.zipp import graph, graph_store, models, synthetic, train
from personalab.zipp.encoders import GATv2Encoder


def peak() -> float:
    """Largest resident memory so far (MB), the GPU's if one is used."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 200_000),
        ("subreddits", 15_000),
        ("batch", 4096),
        ("hidden", 128),
        ("steps", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--activity", type=float, default=60.0)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    tastes = synthetic.lifts([users.draw_user(np.random.default_rng([0, i])).taste for i in range(300)])
    places = synthetic.communities(given.subreddits, rng)
    people = synthetic.population(tastes, given.users, rng, mean=given.activity)
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        parts = synthetic.interactions(people, places, share=0.8, seed=0, chunk=10_000)
        graph_store.write(Path(folder) / "graph", parts, given.subreddits)
        made = graph_store.open_graph(Path(folder) / "graph")
        spent = time.perf_counter() - clock
        print(
            f"{made.n_users:,} users, {made.n_edges:,} edges written in {spent:.0f} s, peak {peak():.0f} MB",
            flush=True,
        )
        made = made.to(given.device)
        scale = models.edge_scale(graph.messages(made, torch.arange(10_000, device=given.device)))
        features = torch.randn(given.subreddits, 384)
        encoder = GATv2Encoder(384, hidden=given.hidden)
        model = models.Inductive(encoder, features, scale.cpu()).to(given.device)
        whole = -(-given.users // given.batch)
        steps = min(given.steps or whole, whole)
        clock = time.perf_counter()
        train.train(model, made, Path(folder) / "run", steps=steps, batch=given.batch)
        spent = time.perf_counter() - clock
        edges = made.n_edges * steps / whole
        print(
            f"{steps} of {whole} steps of {given.batch} users in {spent:.1f} s: {edges / spent / 1e6:.2f} M edges/s"
        )
        print(
            f"an epoch {'is' if steps == whole else 'would be'} {spent * whole / steps:.0f} s; peak {peak():.0f} MB"
        )


if __name__ == "__main__":
    main()
