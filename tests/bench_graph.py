"""GATv2 layers beside PyG's: seconds and memory of a training step, each in a process of its own.

Two layers of width 128 with 4 heads, forward and backward, on a graph whose users' degrees and subreddits'
popularity follow power laws. How glibc hands out memory decides most of PyG's time: by default every large
array is fetched from the system page by page and given back, so both settings are measured. Run by `make
bench`; `--device cuda` runs the same on a GPU, where there is no such choice.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pandas as pd
import torch
from torch import Tensor

from personalab.zipp.encoders.attention import GATv2Conv
from personalab.zipp.graph import Messages

WIDTH, HEADS, SUBREDDITS, MEAN_DEGREE = 128, 4, 10_000, 25
#: Edges of one batch; larger graphs pass in batches of users.
BATCH = 1_000_000
#: A pass is repeated until this many seconds have gone by, at least once, for the first touches new memory; the
#: best counts.
SECONDS = 5
MALLOC = {"default": {}, "kept": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}}
#: How many times as fast as PyG the layers are to be at a million edges.
LIMITS = {"default": 9, "kept": 3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", help="layers and edges, as the parent asks a child")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.child:
        kind, edges = chosen.child.split()
        print(json.dumps(measure(kind, int(edges), chosen.device)))
        return
    settings = list(MALLOC) if chosen.device == "cpu" else ["default"]
    rows = [compare(edges, malloc, chosen) for edges in (BATCH // 10, BATCH) for malloc in settings]
    print(
        f"two GATv2 layers, width {WIDTH}, forward and backward, {chosen.device}, {chosen.threads} thread(s)"
    )
    show(rows)
    own = {row["edges"]: (row["ours s"], row["ours MB"]) for row in rows if row["malloc"] == settings[-1]}
    own[10 * BATCH] = tuple(in_child("ours", 10 * BATCH, settings[-1], chosen).values())
    print("\nours by size of the graph, in batches of a million edges")
    show([{"edges": e, "s": s, "ns / edge": 1e9 * s / e, "MB": mb} for e, (s, mb) in own.items()])


def compare(edges: int, malloc: str, chosen: argparse.Namespace) -> dict:
    """One row: ours and PyG's under one setting of malloc."""
    ours, peer = (in_child(kind, edges, malloc, chosen) for kind in ("ours", "PyG"))
    return {
        "edges": edges,
        "malloc": malloc,
        "ours s": ours["seconds"],
        "PyG s": peer["seconds"],
        "times as fast": peer["seconds"] / ours["seconds"],
        "limit": LIMITS[malloc] if edges == BATCH else float("nan"),
        "ours MB": ours["megabytes"],
        "PyG MB": peer["megabytes"],
        "times as small": peer["megabytes"] / ours["megabytes"],
    }


def in_child(kind: str, edges: int, malloc: str, chosen: argparse.Namespace) -> dict:
    """Measure in a fresh process, whose peak of memory is its own."""
    options = ["--device", chosen.device, "--threads", str(chosen.threads), "--child", f"{kind} {edges}"]
    found = subprocess.run(
        [sys.executable, __file__, *options],
        env=os.environ | MALLOC[malloc],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        sys.exit(f"{kind} at {edges} edges failed:\n{found.stderr}")
    return json.loads(found.stdout.splitlines()[-1])


def measure(kind: str, edges: int, device: str) -> dict[str, float]:
    """Best seconds of a pass over the graph and the memory it takes beyond what lay there before, in MB."""
    graph, subreddits = power_law(edges), torch.randn(SUBREDDITS, WIDTH).to(device)
    layers = {"ours": ours, "PyG": pyg}[kind](device)

    def step(messages: Messages) -> None:
        users = torch.randn(len(messages.indptr) - 1, WIDTH, device=device)
        layers(subreddits.requires_grad_(), users.requires_grad_(), messages).square().sum().backward()

    step(next(batches(power_law(1000), device)))  # loads the libraries
    # other processes do not disturb CPU time, which is the elapsed time of one thread
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    wait = torch.cuda.synchronize if device != "cpu" else lambda: None
    before, taken = resident(device), []
    while len(taken) < 2 or sum(taken) < SECONDS:
        start = clock()
        for messages in batches(graph, device):
            step(messages)
        wait()
        taken.append(clock() - start)
    return {"seconds": min(taken), "megabytes": (peak(device) - before) / 1e6}


def power_law(edges: int) -> Messages:
    """A random graph of about that many edges."""
    rng = torch.Generator().manual_seed(0)
    users = edges // MEAN_DEGREE
    raw = (1 - torch.rand(users, generator=rng)).pow(-1 / 1.5).clamp(max=2000)
    degrees = (raw * (edges / raw.sum())).round().long()
    e = int(degrees.sum())
    rows = (SUBREDDITS * torch.rand(e, generator=rng).pow(3)).long()
    return Messages(
        torch.cat([degrees.new_zeros(1), degrees.cumsum(0)]), rows, torch.rand(e, 2, generator=rng)
    )


def batches(graph: Messages, device: str) -> Iterator[Messages]:
    """The graph's users, as many at a time as have a million edges."""
    cuts = torch.tensor(range(BATCH, len(graph.subreddits) - BATCH // 2, BATCH))
    bounds = [0, *torch.searchsorted(graph.indptr, cuts).tolist(), len(graph.indptr) - 1]
    for first, last in pairwise(bounds):
        start, end = graph.indptr[[first, last]].tolist()
        part = graph.indptr[first : last + 1] - start, graph.subreddits[start:end], graph.features[start:end]
        yield Messages(*(tensor.to(device) for tensor in part))


def ours(device: str) -> Callable[[Tensor, Tensor, Messages], Tensor]:
    """Two of our layers."""
    layers = [GATv2Conv((WIDTH, WIDTH), WIDTH // HEADS, HEADS).to(device) for _ in range(2)]

    def forward(subreddits: Tensor, users: Tensor, messages: Messages) -> Tensor:
        for layer in layers:
            users, _ = layer(subreddits, users, messages)
        return users

    return forward


def pyg(device: str) -> Callable[[Tensor, Tensor, Messages], Tensor]:
    """Two of PyG's layers."""
    from torch_geometric.nn import GATv2Conv as Peer

    options = {"heads": HEADS, "edge_dim": 2, "add_self_loops": False}
    layers = [Peer((WIDTH, WIDTH), WIDTH // HEADS, **options).to(device) for _ in range(2)]

    def forward(subreddits: Tensor, users: Tensor, messages: Messages) -> Tensor:
        owners = torch.arange(len(users), device=users.device).repeat_interleave(messages.indptr.diff())
        index = torch.stack([messages.subreddits, owners])
        for layer in layers:
            users = layer((subreddits, users), index, messages.features)
        return users

    return forward


def resident(device: str) -> float:
    """Bytes in use now."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak(device: str) -> float:
    """Bytes in use at most."""
    return torch.cuda.max_memory_allocated() if device != "cpu" else getrusage(RUSAGE_SELF).ru_maxrss * 1024


def show(rows: list[dict]) -> None:
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format, na_rep="-"))


if __name__ == "__main__":
    main()
