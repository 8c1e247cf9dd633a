"""The span of a gallery's captions and the themes within it: what GS and CP measure against (VPTT section 3.4).

The basis comes from NumPy. k-means is written out, for a gallery is so small that scikit-learn's checks of its
arguments take most of its time, and SciPy's leaves open where it stops. Nothing is scored here; `score` does that.
"""

import math

import numpy as np
import torch
from scipy.spatial.distance import cdist
from threadpoolctl import ThreadpoolController

from .arrays import Array, rows, tensors

#: Singular values below this share of the largest are rounding of the embedder, not content.
RANK_TOLERANCE = 1e-4
#: Below this tolerance the squares of the singular values are rounding themselves.
_GRAM_TOLERANCE = 1e-6
#: Captions that lie nearer to each other than this count as one point.
_TWINS = 1e-9
#: Lloyd's iteration ends by itself after a few rounds; rounding could make it swing between two equal answers.
_ROUNDS = 300
#: A gallery is too small to share out. Worse, the thread pools of NumPy, SciPy and torch would take turns waking
#: up and waiting: 100 ms instead of 1 for one persona's CP on two cores.
one_thread = ThreadpoolController().wrap(limits=1)


@one_thread
def basis(captions: Array, tolerance: float = RANK_TOLERANCE) -> Array:
    """Orthonormal basis B (d, rank) of the span of the captions (m, d).

    Directions whose singular value is too small are left out, without which near-duplicate captions add
    directions of pure rounding error. Any orthonormal basis of the span, such as Gram-Schmidt's, gives the same
    GS and CP. Captions are scaled to unit length first; `tolerance` is relative to the largest singular value.

    Raises:
        ValueError: NaN or infinity among the captions.
    """
    (c,), back = tensors(captions)
    return back(orthonormal(c, tolerance))


@one_thread
def themes(captions: Array, k: int = 5, seed: int = 0) -> Array:
    """The themes behind CP: k-means centroids of the captions (m, d), shape (at most k, d), in embedding space.

    The same as `cluster_proximity` finds for this k and seed; they lie in the span. k is reduced where the
    captions have fewer distinct points; captions that span nothing have no theme.

    Raises:
        ValueError: k < 1, NaN or infinity among the captions.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected a number of clusters of at least 1")
    (c,), back = tensors(captions)
    c = rows(c, "captions").detach()
    b = orthonormal(c)
    return back(centroids(c @ b, k, seed) @ b.T if b.shape[1] else c[:0])


def orthonormal(captions: torch.Tensor, tolerance: float = RANK_TOLERANCE) -> torch.Tensor:
    """`basis` of a tensor (m, d) or (d,), calculated in float64, constant for the gradient.

    The eigenvectors of the captions' inner products (m, m) tell which combinations of captions are orthogonal.
    That is a third of the time of a singular value decomposition, which stays for what it alone resolves.
    """
    x = unit(rows(captions, "captions").detach().cpu().double()).numpy()
    if not np.isfinite(x).all():
        raise ValueError("captions hold NaN or infinity; expected finite embeddings")
    if len(x) > x.shape[1] or tolerance < _GRAM_TOLERANCE:
        _, values, right = np.linalg.svd(x, full_matrices=False)
        b = right[values > tolerance * values.max(initial=0.0)].T
    else:
        squares, turn = np.linalg.eigh(x @ x.T)
        kept = squares > tolerance**2 * squares.max(initial=0.0)
        b = x.T @ (turn[:, kept] / np.sqrt(squares[kept]))
        b = 1.5 * b - b @ (0.5 * (b.T @ b))  # one Newton-Schulz step takes 1e-8 off orthogonal to 1e-16
    return torch.from_numpy(b).to(captions)


def centroids(coordinates: torch.Tensor, k: int, seed: int) -> torch.Tensor:
    """k-means centroids (at most k, rank) of points (m, rank), m >= 1: Lloyd's iteration until no point moves.

    Each centroid is the mean of the points nearest to it; one that loses all its points is dropped.
    """
    points = coordinates.detach().cpu().double().numpy()
    centres, labels = points[_far_apart(points, k, np.random.default_rng(seed))], None
    for _ in range(_ROUNDS):
        nearest = cdist(points, centres, "sqeuclidean").argmin(1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        members = (labels == np.arange(len(centres))[:, None]).astype(float)
        members = members[members.any(1)]
        centres = members @ points / members.sum(1, keepdims=True)
    return torch.from_numpy(centres).to(coordinates)


def unit(x: torch.Tensor) -> torch.Tensor:
    """Rows scaled to length 1; zero rows stay zero and get a zero gradient."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > 0, length, torch.ones_like(length))


def _far_apart(points: np.ndarray, k: int, rng: np.random.Generator) -> list[int]:
    """Indices of at most k distinct points to start from, by greedy k-means++ (Arthur and Vassilvitskii, 2007).

    Each is the best of 2 + log k draws with chances in proportion to the squared distance to those before it.
    """
    chosen = [int(rng.integers(len(points)))]
    nearest = _squares(points[chosen], points)[0]
    while len(chosen) < k and nearest.any():
        mass = nearest.cumsum()
        draws = np.searchsorted(mass, rng.random(2 + int(math.log(k))) * mass[-1], side="right")
        draws = draws.clip(max=len(points) - 1)
        trials = np.minimum(nearest, _squares(points[draws], points))
        best = trials.sum(1).argmin()
        chosen.append(int(draws[best]))
        nearest = trials[best]
    return chosen


def _squares(some: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared distances (s, m), 0 for twins."""
    squares = cdist(some, points, "sqeuclidean")
    squares[squares < _TWINS**2] = 0
    return squares
