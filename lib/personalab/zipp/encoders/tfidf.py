"""The statistical baselines of ZIPP Table 10 that learn nothing: TF-IDF over subreddits.

Users are documents, subreddits are terms, interactions are counts. The paper gives no more than the names
"TF-IDF" and "TF-IDF + NMI"; how weights, embeddings and scores come from them is this project's reading, here
and in `nmi`. Importance of a user's edges takes the place of attention where personas are written (Algorithm
3, line 5).
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, sparray, spmatrix


class TfIdf:
    """Weights log(1 + t) log(U / df), with df the number of training users in a subreddit.

    Attributes:
        idf: (S,) log(U / df); a subreddit without training users counts as having one.
    """

    idf: np.ndarray

    def fit(self, matrix: sparray | spmatrix) -> Self:
        """Take document frequencies from the training graph (U, S), interactions t >= 0."""
        binary = indicators(matrix)
        self.idf = np.log(binary.shape[0] / np.maximum(binary.sum(axis=0), 1.0))
        return self

    def weights(self, matrix: sparray | spmatrix) -> csr_array:
        """Importance of the edges (u, S), also of unseen users: raw weights, with the edges where they were.

        Raises:
            ValueError: another number of subreddits than in training.
        """
        found = csr_array(matrix, dtype=float, copy=True)
        if found.shape[1] != len(self.idf):
            raise ValueError(
                f"got {found.shape[1]} subreddits; expected the {len(self.idf)} of the training graph"
            )
        found.data = np.log1p(found.data) * self.idf[found.indices]
        return found

    def embed(self, matrix: sparray | spmatrix, features: ArrayLike) -> np.ndarray:
        """Users as the weighted mean of their subreddits' description embeddings.

        Args:
            matrix: (u, S) interactions.
            features: (S, d).

        Returns:
            (u, d), unit length; zeros for a user without weight.
        """
        return _units(self.weights(matrix) @ np.asarray(features, dtype=float))

    def scores(self, matrix: sparray | spmatrix, features: ArrayLike, candidates: ArrayLike) -> np.ndarray:
        """Cosine of each user and its candidates' description embeddings.

        Args:
            matrix: (u, S) interactions, without the edges that are asked for.
            features: (S, d).
            candidates: (u, k) rows of subreddits.

        Returns:
            (u, k), higher for subreddits the user is likelier to post in.
        """
        units = _units(np.asarray(features, dtype=float))
        return np.einsum("ud,ukd->uk", self.embed(matrix, units), units[np.asarray(candidates)])


def indicators(matrix: sparray | spmatrix) -> csr_array:
    """(U, S), 1 where a user was active; explicit zeros are no activity."""
    found = csr_array(matrix, dtype=float, copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    found.data[:] = 1.0
    return found


def _units(rows: np.ndarray) -> np.ndarray:
    """Rows at unit length; zero rows stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
