"""Drills in copying, on random tokens, before a miniature language model gets its first lesson.

The phrases of the lessons are few enough to be known by heart. A small model that starts with lessons learns to recite
them and reads no question; one that has first learnt to copy what it has never seen takes them from where they stand.
Copying is learnt in stages, each of which is quick after the one before.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import Qwen2ForCausalLM

from . import language

#: tokens below this number are marks: padding, the end, three roles
_MARKS = 5
_WARM_UP = 50


class Drill(NamedTuple):
    """One stage of learning to copy: what an example is, and the running mean of the loss that ends the stage."""

    example: Callable[[np.random.Generator, int], language.Example]
    until: float


def repeat(
    rng: np.random.Generator, vocabulary: int, length: tuple[int, int], before: int = 0
) -> language.Example:
    """Random tokens, then a row of `length` random tokens twice; the second time is the answer."""
    row = rng.integers(_MARKS, vocabulary, rng.integers(length[0], length[1] + 1))
    start = rng.integers(_MARKS, vocabulary, rng.integers(0, before + 1))
    return language.Example(np.concatenate([start, row, row]).astype(np.int32), len(start) + len(row) + 1)


def phrases(rng: np.random.Generator, vocabulary: int) -> language.Example:
    """Two to seven phrases of random tokens with an end mark each; half of them again, in any order, as the answer."""
    made = [[*rng.integers(_MARKS, vocabulary, rng.integers(3, 8)), 1] for _ in range(rng.integers(2, 8))]
    asked = [token for phrase in made for token in phrase]
    told = [token for i in rng.permutation(len(made))[: (len(made) + 1) // 2] for token in made[i]]
    return language.Example(np.array([*asked, *told], np.int32), len(asked))


#: Copying from a fixed distance, from any distance, and phrases in any order: each is learnt in minutes from the one
#: before, and hardly at all without it.
DRILLS = (
    Drill(lambda rng, vocabulary: repeat(rng, vocabulary, (16, 16)), 2.0),
    Drill(lambda rng, vocabulary: repeat(rng, vocabulary, (4, 24), 12), 0.8),
    Drill(phrases, 0.9),
)


def drill(
    model: Qwen2ForCausalLM,
    file: Path,
    *,
    rate: float,
    stages: Sequence[Drill] = DRILLS,
    batch: int = 96,
    most: int = 4000,
    seed: int = 0,
    compiled: bool = False,
) -> Qwen2ForCausalLM:
    """Drill a fresh model in copying, stage after stage, on its device; weights are kept in `file` and taken from there.

    Raises:
        RuntimeError: a stage has not reached its loss after `most` batches.
    """
    if file.exists():
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        return model
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    )
    layers, rng, i = language.layers_of(model, compiled), np.random.default_rng(seed), 0
    model.train()
    for number, stage in enumerate(stages, 1):
        mean, last = 9.0, i + most
        while mean > stage.until:
            if i == last:
                raise RuntimeError(
                    f"drill {number}: loss {mean:.2f} after {most} batches, expected {stage.until}"
                )
            examples = [stage.example(rng, model.config.vocab_size) for _ in range(batch)]
            optimiser.param_groups[0]["lr"] = rate * min(1, (i + 1) / _WARM_UP)
            mean = 0.9 * mean + 0.1 * _step(model, optimiser, language.loss(model, layers, examples))
            i += 1
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), file)
    return model


def _step(model: Qwen2ForCausalLM, optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return loss.item()
