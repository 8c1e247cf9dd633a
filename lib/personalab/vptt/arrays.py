"""Numbers of any kind at the door of the score and of retrieval: lists, NumPy arrays and torch tensors.

Calculations that keep a gradient take `tensors` or `alike`, the others `plain`. Nothing is computed here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Array = np.ndarray | torch.Tensor


def plain(x: Any) -> np.ndarray:
    """Numbers of any kind as a NumPy array, cut from their gradient: float32 where they are that, else float64."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        return (x if x.dtype == torch.float32 else x.double()).numpy()
    x = np.asarray([plain(v) for v in x] if isinstance(x, (list, tuple)) and _holds_tensor(x) else x)
    return x if x.dtype == np.float32 else x.astype(float, copy=False)


def floating(x: Any) -> Array:
    """A tensor for a tensor or a list that holds any (stacked, gradient kept), else a NumPy array.

    Whole numbers become floating point: torch's default type, float64 in NumPy. float32 stays, and so does
    every floating type of torch.
    """
    if isinstance(x, (list, tuple)) and _holds_tensor(x):
        like = next(v for v in map(floating, x) if isinstance(v, torch.Tensor))
        return torch.stack([_cast(v, like) for v in map(floating, x)])
    if isinstance(x, torch.Tensor):
        return x if x.is_floating_point() else x.to(torch.get_default_dtype())
    x = np.asarray(x)
    return x if x.dtype == np.float32 else x.astype(float, copy=False)


def alike(*numbers: Any) -> list[Any]:
    """Numbers, arrays and Series as they are, lists as arrays; with a tensor among them, all as tensors."""
    given = [floating(x) if isinstance(x, (list, tuple, torch.Tensor)) else x for x in numbers]
    like = next((x for x in given if isinstance(x, torch.Tensor)), None)
    return given if like is None else [x if isinstance(x, torch.Tensor) else _cast(x, like) for x in given]


def tensors(*embeddings: Any) -> tuple[list[torch.Tensor], Callable[[torch.Tensor], Any]]:
    """Embeddings as tensors of one type, and the function that takes a result back to the caller's kind.

    Type and device are those of the first floating tensor, else of the first tensor, made floating. Without
    tensors the calculation runs in float64 and goes back to NumPy, a result of shape () to a float. Nothing at
    all, such as [], is (0, d) with the width of the others.

    Raises:
        ValueError: a single number, or embeddings that differ in width.
    """
    like = next((x for x in embeddings if isinstance(x, torch.Tensor) and x.is_floating_point()), None)
    given = [floating(x) for x in embeddings]
    if like is None:
        like = next((x for x in given if isinstance(x, torch.Tensor)), None)
    widths = sorted({x.shape[-1] for x in given if _checked(x)})
    if len(widths) > 1:
        raise ValueError(f"embeddings of widths {widths} do not compare; use one embedder throughout")
    d = widths[0] if widths else 0
    given = [x if _checked(x) else x.reshape(0, d) for x in given]
    if like is None:
        return [torch.from_numpy(np.array(x, dtype=float, order="C")) for x in given], _to_numpy
    return [_cast(x, like) for x in given], _unchanged


def rows(x: torch.Tensor, name: str) -> torch.Tensor:
    """A set of embeddings as (m, d), a single one (d,) as (1, d).

    Raises:
        ValueError: more than two axes.
    """
    if x.ndim > 2:
        raise ValueError(f"{name} have shape {tuple(x.shape)}; expected (m, d), one embedding per row")
    return x if x.ndim == 2 else x[None]


def _checked(x: Array) -> bool:
    """Whether x has a width of its own: all but [] and (0, 0) have."""
    if x.ndim == 0:
        raise ValueError("got a single number; expected embeddings (n, d) or one embedding (d,)")
    return tuple(x.shape) not in ((0,), (0, 0))


def _holds_tensor(x: Any) -> bool:
    return any(isinstance(v, torch.Tensor) or (isinstance(v, (list, tuple)) and _holds_tensor(v)) for v in x)


def _cast(x: Any, like: torch.Tensor) -> torch.Tensor:
    """x with the type and device of a tensor; NumPy is copied, for torch has no read-only arrays."""
    x = x if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x, dtype=float, order="C"))
    return x.to(like)


def _to_numpy(result: torch.Tensor) -> np.ndarray | float:
    return result.numpy() if result.ndim else result.item()


def _unchanged(result: torch.Tensor) -> torch.Tensor:
    return result
