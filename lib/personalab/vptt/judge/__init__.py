"""The VLM judge (VPTT 15.1): how well pictures suit a persona's gallery, from 0 to 5.

`canvas` lays out what the model is shown, `asking` asks, `reading` reads, `flips` asks a sample in a second order and
`calibration` brings scores to the scale of people; `offline` stands in where no such model can run, under its own name.
"""

from .asking import Case, Judged, judge, questions, wide
from .calibration import Calibration, Evaluation, evaluate, fit, halves, reliability
from .canvas import input_canvas, methods_canvas, profile_canvas, shuffled, swapped
from .flips import Flips, swap_check
from .offline import FeatureCase, anchors, gallery_similarity, judge_by_gallery
from .reading import read

__all__ = [
    "Calibration",
    "Case",
    "Evaluation",
    "FeatureCase",
    "Flips",
    "Judged",
    "anchors",
    "evaluate",
    "fit",
    "gallery_similarity",
    "halves",
    "input_canvas",
    "judge",
    "judge_by_gallery",
    "methods_canvas",
    "profile_canvas",
    "questions",
    "read",
    "reliability",
    "shuffled",
    "swap_check",
    "swapped",
    "wide",
]
