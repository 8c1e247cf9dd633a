"""Graphs on disk: written chunk by chunk, memory-mapped when opened.

A folder holds one file of plain numbers for each part of a `graph.Graph`, and graph.json with the sizes. It appears
whole or not at all.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .graph import Graph, check_edges, subreddit_type


def write(folder: Path, chunks: Iterable[tuple[np.ndarray, ...]], n_subreddits: int) -> None:
    """Write a graph that never was in memory.

    Args:
        folder: appears when all is written; replaces what was there.
        chunks: in order of users, (degrees (u,), subreddits (e,), posts (e,), comments (e,)) of the next u users,
            edges in order of user and subreddit.

    Raises:
        ValueError: a subreddit out of range, counts above 65,535, or lengths that do not agree.
    """
    part = folder.with_name(f"part.{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    totals, degrees_of, edges, users = (
        np.zeros(n_subreddits, np.int64),
        np.zeros(n_subreddits, np.int64),
        0,
        0,
    )
    kind = subreddit_type(n_subreddits)
    names = ("indptr", "subreddits", "posts", "comments", "user_total")
    files = {name: open(part / f"{name}.bin", "wb") for name in names}
    try:
        np.zeros(1, np.int64).tofile(files["indptr"])
        for degrees, subreddits, posts, comments in chunks:
            degrees, subreddits, posts, comments = (
                np.asarray(one, np.int64) for one in (degrees, subreddits, posts, comments)
            )
            if degrees.sum() != len(subreddits):
                raise ValueError(
                    f"got degrees that sum to {degrees.sum()} and {len(subreddits)} edges in one chunk"
                )
            check_edges(subreddits, posts, comments, n_subreddits)
            activity = posts + comments
            ends = degrees.cumsum()
            (edges + ends).tofile(files["indptr"])
            subreddits.astype(kind).tofile(files["subreddits"])
            posts.astype(np.uint16).tofile(files["posts"])
            comments.astype(np.uint16).tofile(files["comments"])
            sums = np.concatenate([[0], activity.cumsum()])
            (sums[ends] - sums[ends - degrees]).tofile(files["user_total"])
            totals += np.bincount(subreddits, activity, n_subreddits).astype(np.int64)
            degrees_of += np.bincount(subreddits, minlength=n_subreddits)
            edges, users = edges + len(subreddits), users + len(degrees)
    finally:
        for file in files.values():
            file.close()
    totals.tofile(part / "subreddit_total.bin")
    degrees_of.tofile(part / "subreddit_degree.bin")
    size = {"users": users, "subreddits": n_subreddits, "edges": edges}
    (part / "graph.json").write_text(json.dumps(size) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def open_graph(folder: Path) -> Graph:
    """A graph that `write` wrote, memory-mapped; its users are numbered anew, by row.

    Raises:
        FileNotFoundError: nothing was written there.
        ValueError: a file is not as long as the graph's size says.
    """
    file = folder / "graph.json"
    if not file.exists():
        raise FileNotFoundError(f"no graph in {folder}; expected the folder that `write` was given")
    size = json.loads(file.read_text())
    edge = torch.from_numpy(np.zeros(0, subreddit_type(size["subreddits"]))).dtype
    shapes = {
        "indptr": (size["users"] + 1, torch.int64),
        "subreddits": (size["edges"], edge),
        "posts": (size["edges"], torch.uint16),
        "comments": (size["edges"], torch.uint16),
        "user_total": (size["users"], torch.int64),
        "subreddit_total": (size["subreddits"], torch.int64),
        "subreddit_degree": (size["subreddits"], torch.int64),
    }
    parts = {name: _mapped(folder / f"{name}.bin", *shape) for name, shape in shapes.items()}
    return Graph(**parts, ids=torch.arange(size["users"]))


def _mapped(file: Path, n: int, dtype: torch.dtype) -> Tensor:
    if file.stat().st_size != n * dtype.itemsize:
        raise ValueError(
            f"{file} has {file.stat().st_size} bytes; expected {n * dtype.itemsize}: write the graph again"
        )
    return torch.from_file(str(file), size=n, dtype=dtype) if n else torch.zeros(0, dtype=dtype)
