"""Prompts to pictures to features (ZIPP 4.1, B.4): several seeds for each prompt, the same seeds for every method.

Pictures are made, looked at by a CLIP and forgotten here, some at a time; an image backend with a store keeps them.
Nothing is scored.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..backends.pictures import Request

Make = Callable[[Sequence[Request]], Sequence[np.ndarray | None]]
See = Callable[[Sequence[np.ndarray]], np.ndarray]
#: Pictures that are in memory at once: a multiple of all batch sizes in use.
_AT_ONCE = 1024


def picture_rows(make: Make, see: See, prompts: Sequence[str | None], seeds: Sequence[int]) -> np.ndarray:
    """Features of n pictures.

    Each prompt and seed is made once however often it stands there, and all go to `make` one after the other, so that
    the batches of a renderer are full.

    Args:
        make: requests to pictures, None for one that was refused, as backends.image.load gives it.
        see: pictures to (m, d) features, such as ClipFeatures.images.
        prompts: None where there is no prompt.
        seeds: one for each prompt.

    Returns:
        (n, d) float32; NaN where there is no prompt or no picture. (n, 0) if there is no picture at all.

    Raises:
        ValueError: not as many seeds as prompts.
    """
    if len(seeds) != len(prompts):
        raise ValueError(f"got {len(seeds)} seeds for {len(prompts)} prompts; expected one for each")
    keys = [(prompt, int(seed)) for prompt, seed in zip(prompts, seeds, strict=True)]
    wanted = list(dict.fromkeys(key for key in keys if key[0] is not None))
    rows: dict[tuple[str | None, int], np.ndarray] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        pictures = make([Request(*key) for key in part])
        made = {key: one for key, one in zip(part, pictures, strict=True) if one is not None}
        rows |= zip(made, see(list(made.values())) if made else [], strict=True)
    none = np.full(len(next(iter(rows.values()))) if rows else 0, np.nan, np.float32)
    return np.array([rows.get(key, none) for key in keys], np.float32).reshape(len(keys), len(none))


def picture_features(
    make: Make, see: See, prompts: Sequence[str | None], seeds: Sequence[Sequence[int]]
) -> np.ndarray:
    """Features of the pictures of n prompts, k of each.

    Args:
        make, see, prompts: as in `picture_rows`.
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
    repeated = [prompt for prompt in prompts for _ in range(table.shape[1])]
    rows = picture_rows(make, see, repeated, table.ravel().tolist())
    return rows.reshape(*table.shape, rows.shape[1])
