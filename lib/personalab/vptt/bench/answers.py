"""What a language model has to answer at each stage of the bench: schemas that refuse everything else (VPTT 9.2-9.4).

An answer is one JSON object with exactly the keys asked for, in values of the right form and number, or it is not an
answer. Nothing is mended, except that entries beyond the number wanted are left off and that repeats count once.
What the schemas cannot check is truth: that an entry belongs to a region is the model's own word.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ...records import Gender, describe
from .vocabulary import REGIONAL

#: VPTT 9.3: fewest and most entries of a facet, and preferences
ENTRIES = (15, 20)
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)


def _short(text: str) -> str:
    if not 2 <= len(text.split()) <= 12:
        raise ValueError("an entry of 2 to 12 words")
    return text


Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=2, max_length=200, pattern=r"^[^\x00-\x1f\x7f{}|<>]+$"
    ),
]
Entry = Annotated[Line, AfterValidator(_short)]
Words = Annotated[Line, StringConstraints(max_length=60)]


class Answered(BaseModel):
    """An answer whose keys are all there and all known, and whose types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


Form = TypeVar("Form", bound=Answered)


class Unusable(ValueError):
    """An answer that does not have the form; the message says what was got and what was expected."""


class Origin(Answered):
    """Stage 1a: place, group and gender, each with the words of the sentence that say so."""

    country: Line | None
    city: Line | None
    place_basis: Literal["stated", "implied", "guess"]
    place_words: str
    ethnicity: Line | None
    gender: Gender
    gender_words: str

    @field_validator("ethnicity")
    @classmethod
    def _known(cls, value: str | None, info: ValidationInfo) -> str | None:
        return value if value is None else _one_of(value, info.context["ethnicities"])

    @field_validator("country")
    @classmethod
    def _listed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if (country := info.context["country"](value)) is None:
            raise ValueError("a country under its usual English name")
        return country


class Person(Answered):
    """Stage 1b: what of d the sentence and the place leave open."""

    name: Words
    age: int = Field(ge=18, le=100)
    language: Words
    occupation: Words
    industry: Words
    workplace: Line
    education: Line
    career_stage: Words
    household: Line
    home: Line
    neighbourhood: Words
    interests: list[Words]
    traits: list[Words]
    values: Line
    tone: Line
    lifestyle: Line
    daily_rhythm: Line
    posting_habit: Line
    camera: Line
    pets: Line
    travel: Line

    @field_validator("interests", "traits")
    @classmethod
    def _several(cls, values: list[str], info: ValidationInfo) -> list[str]:
        low, high = (5, 8) if info.field_name == "interests" else (4, 7)
        return _enough(_distinct(values), low, high)


class Item(Answered):
    """One entry of the vocabulary."""

    category: str
    text: Entry
    regional: bool


class Facet(Answered):
    """The entries of one facet, those that another facet has already left out."""

    entries: list[Item]

    @field_validator("entries")
    @classmethod
    def _mixed(cls, entries: list[Item], info: ValidationInfo) -> list[Item]:
        for entry in entries:
            _one_of(entry.category, info.context["categories"])
        first = {entry.text.casefold(): entry for entry in reversed(entries)}
        new = [e for e in first.values() if e.text.casefold() not in info.context["taken"]][::-1]
        kept = _enough(new, *ENTRIES)
        regional = sum(entry.regional for entry in kept)
        if regional < REGIONAL * len(kept):
            raise ValueError(
                f"at least {REGIONAL:.0%} of the entries from the region, not {regional} of {len(kept)}"
            )
        return kept


class Preferences(Answered):
    """15 to 20 habits of eye."""

    preferences: list[Entry]

    @field_validator("preferences")
    @classmethod
    def _several(cls, values: list[str]) -> list[str]:
        return _enough(_distinct(values), *ENTRIES)


class Scenarios(Answered):
    """One line per post asked for, none of them told before."""

    scenarios: list[Line]

    @field_validator("scenarios")
    @classmethod
    def _as_asked(cls, values: list[str], info: ValidationInfo) -> list[str]:
        if len(values) != info.context["n"]:
            raise ValueError(f"{info.context['n']} scenarios, not {len(values)}")
        told = {line.casefold() for line in info.context["earlier"]}
        if len({line.casefold() for line in values} - told) < len(values):
            raise ValueError("scenarios that differ from each other and from the earlier ones")
        return values


class Described(Answered):
    """A caption and the entries it shows, by facet."""

    caption: str
    foreground: list[str]
    background: list[str]
    atmospheric: list[str]

    @field_validator("caption")
    @classmethod
    def _long_enough(cls, value: str, info: ValidationInfo) -> str:
        words, (low, high) = value.split(), info.context["words"]
        if not low <= len(words) <= high:
            raise ValueError(f"a caption of {low} to {high} words, not {len(words)}")
        return " ".join(words)

    @model_validator(mode="after")
    def _shows_something(self, info: ValidationInfo) -> "Described":
        if not self.shown(info.context["entries"]):
            raise ValueError("at least one of the entries offered, copied exactly")
        return self

    def shown(self, entries: Mapping[str, str]) -> list[str]:
        """The entries named that were offered, in the spelling of the vocabulary, each once.

        Args:
            entries: entry in lower case -> entry.
        """
        named = [text.strip().casefold() for text in (*self.foreground, *self.background, *self.atmospheric)]
        return [entries[text] for text in dict.fromkeys(named) if text in entries]


def read(text: str, form: type[Form], context: Mapping[str, Any]) -> Form:
    """The answer in its form; a Markdown fence around the whole of it is taken off.

    Args:
        text: what the model wrote.
        form: the stage's schema.
        context: what the schema compares with (limits, categories, entries offered).

    Raises:
        Unusable: anything else; one line with the field, what was got and what was expected.
    """
    fenced = _FENCE.match(text.strip())
    try:
        return form.model_validate_json(fenced[1] if fenced else text, context=dict(context))
    except ValidationError as error:
        raise Unusable(describe(error).replace("Value error, ", "")) from None


def _one_of(value: str, known: Any) -> str:
    if value not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return value


def _distinct(values: list[str]) -> list[str]:
    first = {value.casefold(): value for value in reversed(values)}
    return list(first.values())[::-1]


def _enough(values: list[Any], low: int, high: int) -> list[Any]:
    """The first `high` of the values. ValueError for fewer than `low`."""
    if len(values) < low:
        raise ValueError(f"{low} to {high} different new ones, not {len(values)}")
    return values[:high]
