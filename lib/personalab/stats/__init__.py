"""Statistics: arrays in, plain numbers out. Undefined values are NaN, never 0."""

from .effects import Interval, cluster_bootstrap, cohens_d, win_shares

__all__ = ["Interval", "cluster_bootstrap", "cohens_d", "win_shares"]
