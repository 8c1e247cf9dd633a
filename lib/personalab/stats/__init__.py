"""Statistics: arrays in, plain numbers out. Undefined values are NaN, never 0."""

from .effects import Interval, cluster_bootstrap, cohens_d, win_shares
from .raked import RakedInterval, raked_interval, raked_mean
from .raking import NotConverged, Raking, rake

__all__ = [
    "Interval",
    "NotConverged",
    "RakedInterval",
    "Raking",
    "cluster_bootstrap",
    "cohens_d",
    "rake",
    "raked_interval",
    "raked_mean",
    "win_shares",
]
