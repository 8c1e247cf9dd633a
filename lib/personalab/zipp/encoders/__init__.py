"""Encoders of users by the communities they are in, learned and statistical (ZIPP 3.1, F.1, Table 10)."""

from .gatv2 import GATv2Encoder
from .lightgcn import LightGCN
from .nmi import TfIdfNmi
from .sage import SAGEEncoder
from .tfidf import TfIdf

__all__ = ["GATv2Encoder", "LightGCN", "SAGEEncoder", "TfIdf", "TfIdfNmi"]
