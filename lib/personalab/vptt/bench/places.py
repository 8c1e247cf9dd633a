"""Places that a language model merely supposes: some are moved, so that no country rules the bench (VPTT 9.2.2).

Models place people they know nothing about in a few countries. For those countries a fixed share of the supposed
places is moved to a city of another part of the world; a place that the seed states or clearly implies never is.
Which ones move depends on the bench seed and the persona's number alone.
"""

import hashlib
from collections.abc import Mapping

from .gazetteer import Place, regions

#: VPTT 9.2.2: share of supposed places that is moved away
RATES = {"South Asia": 0.70, "United States": 0.65, "United Kingdom": 0.60, "Canada": 0.50}
_SOUTH_ASIA = ("north_south_asia", "south_south_asia")


def area(country: str) -> str | None:
    """The area of RATES that a country lies in, or None."""
    south = any(country in regions()[key]["countries"] for key in _SOUTH_ASIA)
    return "South Asia" if south else country if country in RATES else None


def move(place: Place, number: int, seed: int = 0, rates: Mapping[str, float] = RATES) -> Place | None:
    """Where a supposed place is moved to, or None if it stays.

    Args:
        place: as the model supposed it.
        number: of the persona.
        seed: of the bench.
        rates: share moved, by area; a number below which a hash, read as a number in [0, 1), has to fall.

    Raises:
        ValueError: a rate outside [0, 1].
    """
    if not all(0 <= rate <= 1 for rate in rates.values()):
        raise ValueError(f"rates are {dict(rates)}; expected shares between 0 and 1")
    lot, choice = _lots(f"{seed}:{number}:place")
    if lot >= rates.get(area(place.country) or "", 0.0):
        return None
    return anywhere(choice)


def anywhere(lot: float) -> Place:
    """A city of the grammar outside the areas of RATES; `lot` in [0, 1) chooses, each city alike."""
    cities = [
        Place(city["country"], city["city"])
        for region in regions().values()
        for city in region["cities"]
        if area(city["country"]) is None
    ]
    return cities[int(lot * len(cities))]


def _lots(text: str) -> tuple[float, float]:
    """Two numbers in [0, 1) from a stable hash of the text."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48, int.from_bytes(digest[6:12], "big") / 2**48
