"""TF-IDF with normalised mutual information of subreddits, ZIPP Table 10's second statistical baseline.

The paper gives the name and no formula; the reading here is the project's own. Two subreddits are related as
far as knowing that a user posts in one tells whether the user posts in the other. No embedding of
descriptions takes part.
"""

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csc_array, csr_array, sparray, spmatrix
from scipy.special import entr

from .tfidf import TfIdf, indicators

#: Numbers of the S x S relatedness, and of its products with the users, that are held at once: 32 MB.
_HELD = 2**22


def signed_nmi(both: ArrayLike, first: ArrayLike, second: ArrayLike, users: int) -> np.ndarray:
    """NMI of two indicators, negative where they meet less often than by chance.

    NMI = I(X; Y) / ((H(X) + H(Y)) / 2), the arithmetic normalisation of Kvalseth (1987) and scikit-learn.

    Args:
        both: numbers of users in both subreddits, any shape.
        first, second: numbers of users in each, broadcast against `both`.
        users: number of all users.

    Returns:
        Values in [-1, 1]; 0 where an indicator is constant, for it tells nothing.
    """
    both, x, y = (np.asarray(count, dtype=float) / users for count in (both, first, second))
    of_x, of_y = entr(x) + entr(1 - x), entr(y) + entr(1 - y)
    neither = 1 - x - y + both
    joint = (
        entr(both)
        + entr(np.maximum(x - both, 0))
        + entr(np.maximum(y - both, 0))
        + entr(np.maximum(neither, 0))
    )
    varied = np.broadcast_to((of_x > 0) & (of_y > 0), joint.shape)
    share = np.divide(2 * (of_x + of_y - joint), of_x + of_y, out=np.zeros_like(joint), where=varied)
    return np.clip(share, 0, 1) * np.sign(both - x * y)


class TfIdfNmi:
    """Scores and importance from TF-IDF weights and the relatedness of subreddits in the training graph."""

    def fit(self, matrix: sparray | spmatrix) -> Self:
        """Take frequencies and co-occurrence from the training graph (U, S), interactions t >= 0."""
        binary = indicators(matrix)
        self.tfidf = TfIdf().fit(binary)
        self.users = binary.shape[0]
        self.frequency = binary.sum(axis=0)
        self.together = csc_array(binary.T @ binary)
        return self

    def relatedness(self, columns: ArrayLike) -> np.ndarray:
        """Signed NMI of all subreddits with some, (S, len(columns)), dense."""
        columns = np.asarray(columns, dtype=int)
        both = self.together[:, columns].toarray()
        return signed_nmi(both, self.frequency[:, None], self.frequency[columns], self.users)

    def scores(self, matrix: sparray | spmatrix, candidates: ArrayLike) -> np.ndarray:
        """score(u, c) = sum over the user's subreddits s of tfidf_us * signed NMI(s, c).

        Args:
            matrix: (u, S) interactions, without the edges that are asked for.
            candidates: (u, k) rows of subreddits.

        Returns:
            (u, k).
        """
        weights, candidates = self.tfidf.weights(matrix), np.asarray(candidates)
        scores = np.empty(candidates.shape)
        for columns in _blocks(np.unique(candidates), max(weights.shape)):
            user, place = np.nonzero((candidates >= columns[0]) & (candidates <= columns[-1]))
            of_block = weights @ self.relatedness(columns)
            scores[user, place] = of_block[user, np.searchsorted(columns, candidates[user, place])]
        return scores

    def weights(self, matrix: sparray | spmatrix) -> csr_array:
        """Importance of an edge: tfidf_us times the mean relatedness of s to the user's other subreddits.

        Relatedness below 0 counts as 0. A user with one subreddit, or none related to another, keeps plain
        TF-IDF: there is nothing to tell the edges apart by.

        Args:
            matrix: (u, S) interactions.

        Returns:
            (u, S), with the edges where they were.
        """
        found = self.tfidf.weights(matrix)
        others = self._to_others(found)
        rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        related = found.data * others
        told = np.bincount(rows, related, minlength=found.shape[0]) > 0
        found.data = np.where(told[rows], related, found.data)
        return found

    def _to_others(self, matrix: csr_array) -> np.ndarray:
        """(edges,) mean relatedness of each edge's subreddit to the same user's other subreddits."""
        degree = np.diff(matrix.indptr)
        rows = np.repeat(np.arange(matrix.shape[0]), degree)
        member = csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
        total = np.zeros(matrix.nnz)
        for columns in _blocks(np.unique(matrix.indices), max(matrix.shape)):
            related = np.maximum(self.relatedness(columns), 0)
            related[columns, np.arange(len(columns))] = 0
            edges = np.flatnonzero((matrix.indices >= columns[0]) & (matrix.indices <= columns[-1]))
            sums = member @ related
            total[edges] = sums[rows[edges], np.searchsorted(columns, matrix.indices[edges])]
        return total / np.maximum(degree[rows] - 1, 1)


def _blocks(columns: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """Sorted columns, as many at a time as memory allows for so many rows."""
    width = max(1, _HELD // rows)
    for start in range(0, len(columns), width):
        yield columns[start : start + width]
