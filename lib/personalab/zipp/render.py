"""Prompts to pictures to features (ZIPP 4.1, B.4): several seeds for each prompt, the same seeds for every method.

Pictures are made, looked at by a CLIP and forgotten here; an image backend with a store keeps them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..backends.pictures import Request

Make = Callable[[Sequence[Request]], Sequence[np.ndarray | None]]
See = Callable[[Sequence[np.ndarray]], np.ndarray]


def picture_features(
    make: Make, see: See, prompts: Sequence[str | None], seeds: Sequence[Sequence[int]]
) -> np.ndarray:
    """Features of the pictures of n prompts.

    Args:
        make: requests to pictures, None for one that was refused, as backends.image.load gives it.
        see: pictures to (m, d) features, such as ClipFeatures.images.
        prompts: None where there is no prompt.
        seeds: k for each prompt.

    Returns:
        (n, k, d) float32; NaN where there is no prompt or no picture. (n, k, 0) if there is no picture at all.

    Raises:
        ValueError: not the same number of seeds for every prompt.
    """
    if len(seeds) != len(prompts) or len({len(row) for row in seeds}) > 1:
        raise ValueError(
            f"got seeds for {len(seeds)} of {len(prompts)} prompts; expected a row of as many for each"
        )
    table = np.array(seeds, np.int64).reshape(len(prompts), -1)
    wanted = {
        (prompt, int(seed)): None
        for prompt, row in zip(prompts, table, strict=True)
        if prompt is not None
        for seed in row
    }
    pictures = make([Request(prompt, seed) for prompt, seed in wanted])
    made = {key: one for key, one in zip(wanted, pictures, strict=True) if one is not None}
    rows = dict(zip(made, see(list(made.values())) if made else [], strict=True))
    width = len(next(iter(rows.values()))) if rows else 0
    out = np.full((*table.shape, width), np.nan, np.float32)
    for i, prompt in enumerate(prompts):
        for j, seed in enumerate(table[i]):
            if (prompt, int(seed)) in rows:
                out[i, j] = rows[prompt, int(seed)]
    return out
