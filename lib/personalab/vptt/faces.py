"""Faces by arithmetic: ten attributes and three modifiers from a user id and an age group (VPTT 10.1).

The paper counts N = 97.2 million faces from ten attributes of 4 to 6 options and three lists of modifiers. Read as
exactly 97,200,000 = 2^7 3^5 5^5 this leaves the three lists a product of 4, 5, 6 or 9, so at least one of them, which
the paper lists like the others, can have but a single option; here it is the photo style. Two attributes have 4 options,
five have 5, three have 6; age modifiers and expressions have 3 each. An age modifier is one of three for the
person's age, so N counts the faces one person can have at a given age.

Options are words of geometry in `faces.yaml`. Nothing is drawn from ethnicity or gender, and no image is made here.
The seed holds the age group, as printed: a user's face is the same within a decade of age and another one, bones
and all, in the next.
"""

import hashlib
import math
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from ..records import Persona


class Face(NamedTuple):
    """A face as phrases ready for a prompt: ten attributes, then the modifiers A, E and S of VPTT 10.1."""

    face_shape: str
    eye_shape: str
    eye_size: str
    nose_type: str
    jawline: str
    cheekbones: str
    lip_shape: str
    eyebrow_type: str
    face_length: str
    chin_shape: str
    age_modifier: str
    expression: str
    photo_style: str


def options(age: int) -> dict[str, list[str]]:
    """Field of `Face` -> its options at that age in years, in the order of the fields."""
    table = _table()
    band = next(band for band in table["age_modifier"] if band["below"] is None or age < band["below"])
    chosen = {**table["attributes"], **table, "age_modifier": band["options"]}
    return {field: chosen[field] for field in Face._fields}


@cache
def combinations() -> int:
    """N of VPTT 10.1: the number of faces a person can have at one age, 97,200,000."""
    return math.prod(map(len, options(0).values()))


def face_seed(user_id: str, age: int) -> int:
    """hash(user_id, floor(age / 10)) mod 2^32 (VPTT 10.1): the same within a decade of age, on every machine.

    The hash is SHA-256 of "<decade>:<user id>" in UTF-8; Python's own hash of a string changes with every process.

    Args:
        user_id: any string but the empty one.
        age: in years.

    Raises:
        ValueError: an empty id or a negative age.
    """
    if not user_id or age < 0:
        raise ValueError(f"got user_id={user_id!r}, age={age}; expected a non-empty id and an age from 0 on")
    digest = hashlib.sha256(f"{age // 10}:{user_id}".encode()).digest()
    return int.from_bytes(digest) % 2**32


def face(user_id: str, age: int) -> Face:
    """The user's face at that age in years.

    The seed s is scaled to face number floor(s N / 2^32). Since N < 2^32, every number is reached, each from 44 or
    45 seeds; the options of each attribute are uniform and independent to that precision.

    Raises:
        ValueError: as `face_seed`.
    """
    return numbered(face_seed(user_id, age) * combinations() >> 32, age)


def numbered(number: int, age: int) -> Face:
    """Face `number` of the N at that age, one for each number: its digits in the mixed base of the option counts.

    Raises:
        ValueError: the number is not in 0 to N - 1.
    """
    if not 0 <= number < combinations():
        raise ValueError(f"got face number {number}; expected 0 to {combinations() - 1}")
    lists = list(options(age).values())
    digits = np.unravel_index(number, [len(choices) for choices in lists])
    return Face(*(choices[digit] for choices, digit in zip(lists, digits, strict=True)))


def portrait_prompt(persona: Persona, face: Face) -> str:
    """What 10.2 asks of a portrait: who, the four facial attributes it names, style and light, then the other six.

    The persona's name does not appear; an unknown gender is left out.
    """
    d = persona.demographics
    parts = [
        "photograph of one person",
        *([d.gender] if d.gender != "unknown" else []),
        *(d.ethnicity, f"aged {d.age}", f"{d.occupation} by occupation"),
        f"living in {', '.join(dict.fromkeys([d.city, d.country]))}",
        *(face.face_shape, face.eye_shape, face.cheekbones, face.lip_shape),
        *(face.photo_style, face.expression, face.age_modifier),
        *(face.eye_size, face.eyebrow_type, face.nose_type, face.jawline, face.chin_shape, face.face_length),
    ]
    return ", ".join(parts)


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_bytes())
