"""What the feedback network has to beat: the cosine of prompt and profile, and ridge regression.

Each takes training and validation examples and returns a function from examples to scores in [0, 1], as the
network does. Fitted in closed form, so there is no seed.
"""

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge

from .model import Pairs

Scorer = Callable[[Pairs], np.ndarray]


def cosine(pairs: Pairs) -> np.ndarray:
    """(n,) cosines of each prompt with the nearest of its profile's t vectors; rows have length 1."""
    return np.einsum("ntd,nd->nt", pairs.profiles[pairs.persona], pairs.prompts).max(1)


def fit_cosine(train: Pairs) -> Scorer:
    """The cosine, mapped to a score by a straight line fitted on the training examples and clipped to [0, 1].

    The line keeps the order of candidates unless it falls; only the error needs it.
    """
    line = LinearRegression().fit(cosine(train)[:, None], train.labels)
    return lambda pairs: line.predict(cosine(pairs)[:, None]).clip(0, 1)


def features(pairs: Pairs) -> np.ndarray:
    """(n, 3d): the profile's mean vector, the prompt, and their product by components, times sqrt(d)."""
    profile = pairs.profiles.mean(1)[pairs.persona]
    return np.hstack([profile, pairs.prompts, profile * pairs.prompts * profile.shape[1] ** 0.5])


def prompt_alone(pairs: Pairs) -> np.ndarray:
    """(n, d): the prompt, without the profile; what can be told from it was told by the class's subjects."""
    return pairs.prompts


def fit_ridge(
    train: Pairs,
    validation: Pairs,
    see: Callable[[Pairs], np.ndarray] = features,
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0),
) -> Scorer:
    """Ridge regression of the label on what `see` makes of examples; the penalty with the least validation error."""
    x, held = see(train), see(validation)
    models = [Ridge(alpha).fit(x, train.labels) for alpha in alphas]
    errors = [np.mean((model.predict(held) - validation.labels) ** 2) for model in models]
    model = models[int(np.argmin(errors))]
    return lambda pairs: model.predict(see(pairs)).clip(0, 1)
