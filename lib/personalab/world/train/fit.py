"""One training loop for all miniature models: AdamW, cosine schedule, checkpoints, a log.

Every step draws its batch from its own number, so that a run that was stopped and taken up again sees the data that
an undisturbed one sees. What a step does is the caller's function; nothing here knows a model.
"""

import json
import math
import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

#: A step's number to its loss, a scalar tensor, and figures for the log.
Step = Callable[[int], tuple[torch.Tensor, dict[str, float]]]
_WARM_UP = 100
_FLOOR = 0.02


def fit(
    model: nn.Module,
    step: Step,
    folder: Path,
    *,
    steps: int,
    rate: float,
    decay: float = 0.05,
    betas: tuple[float, float] = (0.9, 0.98),
    average: float = 0.0,
    every: int = 500,
    on_save: Callable[[nn.Module, int], None] | None = None,
) -> nn.Module:
    """Train `model` in place up to `steps` steps, from the checkpoint in `folder` if there is one.

    Args:
        model: what is trained; parameters without requires_grad are left alone.
        step: the loss of step number i.
        folder: gets checkpoint.pt and log.jsonl, a line per 50 steps and one for the last.
        rate: the highest learning rate, reached after 100 steps and followed by half a cosine to 2 %.
        decay: weight decay of matrices; vectors have none.
        average: decay of an exponential moving average of the weights; 0 for none.
        every: steps between checkpoints.
        on_save: called with the model to use (the average, if there is one) and the step at each checkpoint.

    Returns:
        The averaged model, or `model` itself without averaging.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(_groups(model, decay), lr=rate, betas=betas, fused=True)
    best = deepcopy(model).requires_grad_(False) if average else model
    start, spent = _resume(folder, model, best, optimiser)
    running: dict[str, float] = {}
    clock = time.perf_counter() - spent
    for i in tqdm(range(start, steps), initial=start, total=steps, desc=folder.name, mininterval=10):
        for group in optimiser.param_groups:
            group["lr"] = rate * schedule(i, steps)
        loss, figures = step(i)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if average:
            _follow(best, model, min(average, (i + 1) / (i + 10)))
        for name, value in (figures | {"loss": loss.item()}).items():
            running[name] = value if name not in running else 0.98 * running[name] + 0.02 * value
        if (i + 1) % 50 == 0 or i + 1 == steps:
            _log(folder, i + 1, running | {"seconds": time.perf_counter() - clock})
        if (i + 1) % every == 0 or i + 1 == steps:
            _save(folder, i + 1, time.perf_counter() - clock, model, best, optimiser)
            if on_save:
                on_save(best, i + 1)
    return best


def schedule(i: int, steps: int) -> float:
    """Learning rate of step i as a share of the highest: linear warm-up, then half a cosine."""
    return min(1, (i + 1) / _WARM_UP) * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * i / steps)))


def read_log(folder: Path) -> list[dict[str, float]]:
    """The lines of a training's log; a step that was run again after a stop counts once, with its last line."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return list({line["step"]: line for line in lines}.values())


def _groups(model: nn.Module, decay: float) -> list[dict]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, share: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - share)


def _save(
    folder: Path,
    done: int,
    seconds: float,
    model: nn.Module,
    best: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    state = {
        "step": done,
        "seconds": seconds,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    if best is not model:
        state["average"] = best.state_dict()
    torch.save(state, folder / "checkpoint.part")
    os.replace(folder / "checkpoint.part", folder / "checkpoint.pt")


def _resume(
    folder: Path, model: nn.Module, best: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, float]:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    if best is not model:
        best.load_state_dict(state["average"])
    return state["step"], state.get("seconds", 0.0)


def _log(folder: Path, done: int, running: dict[str, float]) -> None:
    with open(folder / "log.jsonl", "a") as file:
        file.write(json.dumps({"step": done} | {k: round(v, 5) for k, v in running.items()}) + "\n")
