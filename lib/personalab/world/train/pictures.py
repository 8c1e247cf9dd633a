"""Pictures to train on: scenes drawn once into a memory-mapped file, read back in batches.

Two sets with different seeds share no scene number, so that a judge can be trained apart from what it judges.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from .. import scenes
from ..draw import draw

_CHUNK = 2000


class Pictures(NamedTuple):
    """n pictures (n, 64, 64, 3) uint8 and their scenes as codes (n, attributes) int8."""

    pixels: np.ndarray
    codes: np.ndarray

    def scenes(self, index: np.ndarray) -> list[scenes.Scene]:
        """The scenes of some rows."""
        return scenes.decode(self.codes[index])

    def tensor(self, index: np.ndarray) -> torch.Tensor:
        """Some rows as (b, 3, 64, 64) float32 in [-1, 1]."""
        return torch.from_numpy(self.pixels[index]).permute(0, 3, 1, 2).float() / 127.5 - 1


def pictures(folder: Path, n: int, seed: int, workers: int = 1) -> Pictures:
    """n drawn scenes, from `folder` if they lie there, else drawn into it.

    Scene i of a set depends on (seed, i) alone: a larger set begins with the smaller one.
    """
    path = folder / f"pictures_{seed}_{n}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        pixels = np.lib.format.open_memmap(part, "w+", np.uint8, (n, 64, 64, 3))
        starts = range(0, n, _CHUNK)
        codes = []
        with ProcessPoolExecutor(workers) as pool:
            jobs = pool.map(_chunk, [seed] * len(starts), starts, [min(s + _CHUNK, n) for s in starts])
            for start, (block, code) in zip(
                starts, tqdm(jobs, total=len(starts), desc="drawing"), strict=True
            ):
                pixels[start : start + len(block)] = block
                codes.append(code)
        pixels.flush()
        np.save(path.with_suffix(".codes.npy"), np.concatenate(codes))
        part.rename(path)
    return Pictures(np.load(path, mmap_mode="r"), np.load(path.with_suffix(".codes.npy")))


def batch(n: int, size: int, seed: int, step: int) -> np.ndarray:
    """Rows of the batch of a step: every row once per epoch, in an order of its own."""
    per_epoch = n // size
    if not per_epoch:
        raise ValueError(f"got {n} pictures for batches of {size}; draw more or take smaller batches")
    order = np.random.default_rng([seed, step // per_epoch]).permutation(n)
    return np.sort(order[step % per_epoch * size :][:size])


def _chunk(seed: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    found = [scenes.sample(np.random.default_rng([seed, i])) for i in range(start, stop)]
    drawn = [draw(scene, seed * 1_000_003 + i) for scene, i in zip(found, range(start, stop), strict=True)]
    return np.stack(drawn), scenes.encode(found)
