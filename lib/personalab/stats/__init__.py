"""Statistics: arrays in, plain numbers out. Undefined values are NaN, never 0."""

from .agreement import (
    cohens_kappa,
    fleiss_kappa,
    kendalls_w,
    krippendorff_alpha,
    mean_pairwise_kappa,
    pairwise_kappas,
)
from .effects import Interval, cluster_bootstrap, cohens_d, win_shares
from .proportions import answers_needed, benjamini_hochberg, exact_test, holm, power, share_interval
from .raked import RakedInterval, raked_interval, raked_mean
from .raking import NotConverged, Raking, rake
from .ranking import bradley_terry, spearman, top_two_agreement

__all__ = [
    "Interval",
    "NotConverged",
    "RakedInterval",
    "Raking",
    "answers_needed",
    "benjamini_hochberg",
    "bradley_terry",
    "cluster_bootstrap",
    "cohens_d",
    "cohens_kappa",
    "exact_test",
    "fleiss_kappa",
    "holm",
    "kendalls_w",
    "krippendorff_alpha",
    "mean_pairwise_kappa",
    "pairwise_kappas",
    "power",
    "rake",
    "raked_interval",
    "raked_mean",
    "share_interval",
    "spearman",
    "top_two_agreement",
    "win_shares",
]
