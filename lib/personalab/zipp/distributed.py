"""Training of an inductive encoder over several processes, one per GPU or a few on a CPU, under torchrun.

    torchrun --nproc-per-node 8 -m personalab.zipp.distributed plan.json

Every process maps the same graph from disk and takes its part of each batch; the losses are those of one process
with the whole batch. The plan is a JSON object, see `Plan`. Rank 0 writes the weights and the log.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from pydantic import BaseModel, ConfigDict
from safetensors.torch import save_file

from .encoders import GATv2Encoder, SAGEEncoder
from .graph import messages
from .graph_store import open_graph
from .models import Inductive, edge_scale
from .train import Pictures, train

_ENCODERS = {"GATv2": GATv2Encoder, "GraphSAGE": SAGEEncoder}
_FOR_SCALE = 10_000


class Plan(BaseModel):
    """What to train, on what, and where it goes; every path is a file or folder."""

    model_config = ConfigDict(extra="forbid")

    graph: Path
    """A folder that `graph_store.write` wrote, without any edge used for evaluation."""
    features: Path
    """.npy, (S, d) text embeddings of descriptions."""
    users: Path | None = None
    """.npy, (n,) rows trained on; all if None."""
    pictures: Path | None = None
    """.npz with `users` (n,) in rising order and `vectors` (n, w)."""
    folder: Path
    """Gets weights.safetensors, log.jsonl and a checkpoint."""
    encoder: str = "GATv2"
    options: dict[str, Any] = {}
    """Of the encoder, such as hidden and heads."""
    training: dict[str, Any]
    """Of `train.train`, such as steps, batch and rate."""
    seed: int = 0


def run(plan: Plan) -> None:
    """Train by a plan, alone or as one of torchrun's processes.

    Raises:
        ValueError: an encoder of another name.
    """
    if plan.encoder not in _ENCODERS:
        raise ValueError(f"encoder {plan.encoder!r}; expected one of {sorted(_ENCODERS)}")
    device = _device()
    graph = open_graph(plan.graph).to(device)
    features = torch.from_numpy(np.load(plan.features)).to(device, torch.float32)
    shown = _pictures(plan.pictures, device)
    torch.manual_seed(plan.seed)
    encoder = _ENCODERS[plan.encoder](features.shape[1], **plan.options)
    some = torch.arange(min(graph.n_users, _FOR_SCALE), device=device)
    width = 0 if shown is None else shown.vectors.shape[1]
    model = Inductive(encoder, features, edge_scale(messages(graph, some)), width).to(device)
    users = None if plan.users is None else np.load(plan.users)
    train(model, graph, plan.folder, users=users, pictures=shown, seed=plan.seed, **plan.training)
    if not dist.is_initialized() or dist.get_rank() == 0:
        save_file(
            {name: one.contiguous() for name, one in model.state_dict().items()},
            plan.folder / "weights.safetensors",
        )


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cuda", torch.cuda.current_device())


def _pictures(file: Path | None, device: torch.device) -> Pictures | None:
    if file is None:
        return None
    with np.load(file) as saved:
        return Pictures(saved["users"], torch.from_numpy(saved["vectors"]).to(device, torch.float32))


def main() -> None:
    """The plan named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"got {len(sys.argv) - 1} arguments; expected one, the plan's file")
    plan = Plan.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    if "RANK" in os.environ:
        _device()
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        run(plan)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
