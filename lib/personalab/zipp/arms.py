"""Arms of an experiment compared on equal pictures: means, paired differences and ZIP Lift, with intervals over people.

A score belongs to a picture: an arm (a way to rewrite), a generator, a person, a prompt and a seed. Two arms are
compared on the pictures that both have; a picture that is missing on one side is out on both. Tables have a row for every
arm that is asked for, empty where it has no pictures. Which scores there are is the caller's matter.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..metrics import zip_lift
from ..stats import cluster_bootstrap
from ..stats.effects import Interval

KEYS = ["user", "prompt", "seed"]
_NOTHING = Interval(float("nan"), float("nan"), float("nan"))


class Arms(NamedTuple):
    """Scores of pictures.

    Attributes:
        scores: columns card, arm, user, prompt, seed, and one for each score; a row per picture.
        card: the generator looked at.
        resamples: bootstrap draws.
        seed: of the draws; every interval uses the same.
    """

    scores: pd.DataFrame
    card: str
    resamples: int = 2000
    seed: int = 0

    def names(self) -> list[str]:
        """The generator's arms, in the order of the table."""
        return list(self._mine()["arm"].unique())

    def of(self, arm: str) -> pd.DataFrame:
        """An arm's pictures. Raises KeyError, naming those there are."""
        rows = self._mine()
        rows = rows[rows["arm"] == arm]
        if rows.empty:
            raise KeyError(f"got arm {arm!r} on {self.card}; expected one of {self.names()}")
        return rows

    def paired(self, a: str, b: str, value: str) -> pd.DataFrame:
        """Scores of two arms on the pictures both have: columns of KEYS, a, b."""
        one, other = (self.of(arm).set_index(KEYS)[value] for arm in (a, b))
        return pd.concat([one, other], axis=1, keys=["a", "b"], join="inner").reset_index()

    def mean(self, arm: str, value: str) -> Interval:
        """Mean of an arm's scores."""
        rows = self.of(arm)
        return self._interval(rows[[value]].to_numpy(), rows["user"], lambda x: x[:, 0].mean())

    def difference(self, a: str, b: str, value: str) -> Interval:
        """Mean of a minus mean of b, over the pictures both have."""
        both = self.paired(a, b, value)
        return self._interval(both[["a", "b"]].to_numpy(), both["user"], lambda x: (x[:, 0] - x[:, 1]).mean())

    def lift(self, a: str, b: str, value: str) -> Interval:
        """ZIP Lift: by how much the mean of a lies above that of b, in percent of b's (ZIPP F.1); NaN where that is not
        positive."""
        both = self.paired(a, b, value)
        return self._interval(both[["a", "b"]].to_numpy(), both["user"], lambda x: zip_lift(*x.T))

    def means(self, arms: Sequence[str], value: str) -> pd.DataFrame:
        """A row per arm: arm, pictures, estimate, low, high; 0 pictures and NaN for an arm that has none."""
        there = self.names()
        rows = [
            {"arm": arm, "pictures": len(self.of(arm)), **self.mean(arm, value)._asdict()}
            if arm in there
            else {"arm": arm, "pictures": 0, **_NOTHING._asdict()}
            for arm in arms
        ]
        return pd.DataFrame(rows, columns=["arm", "pictures", *Interval._fields])

    def differences(self, pairs: Mapping[str, tuple[str, str]], value: str) -> pd.DataFrame:
        """Differences of several pairs of arms.

        Args:
            pairs: name of a row -> (a, b).

        Returns:
            pictures that both have, estimate, low, high, by name; 0 and NaN where one of them has no pictures.
        """
        return self._compared(pairs, value, self.difference)

    def lifts(self, pairs: Mapping[str, tuple[str, str]], value: str) -> pd.DataFrame:
        """As `differences`, ZIP Lift of a over b in percent."""
        return self._compared(pairs, value, self.lift)

    def preferred(self, a: str, b: str, value: str) -> float:
        """Share of the pictures both have in which a scores higher, ties half; NaN where there are none."""
        both = self.paired(a, b, value)
        return float(((both["a"] > both["b"]) + 0.5 * (both["a"] == both["b"])).mean())

    def _compared(
        self,
        pairs: Mapping[str, tuple[str, str]],
        value: str,
        compare: Callable[[str, str, str], Interval],
    ) -> pd.DataFrame:
        there = set(self.names())
        rows = [
            (len(self.paired(a, b, value)), *compare(a, b, value)) if {a, b} <= there else (0, *_NOTHING)
            for a, b in pairs.values()
        ]
        return pd.DataFrame(rows, pd.Index(pairs, dtype=object), ["pictures", *Interval._fields])

    def _mine(self) -> pd.DataFrame:
        return self.scores[self.scores["card"] == self.card]

    def _interval(
        self, values: np.ndarray, users: pd.Series, statistic: Callable[[np.ndarray], float]
    ) -> Interval:
        if not len(values):
            return _NOTHING
        return cluster_bootstrap(values, users, statistic, np.random.default_rng(self.seed), self.resamples)
