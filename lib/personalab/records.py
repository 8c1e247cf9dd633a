"""The records every stage passes to the next, validated where they enter from a file.

A persona is the paper's tuple P = (d, E, C) (VPTT section 3): demographics, visual elements by category and
posts with captions. Inside the library records are trusted; `read_jsonl` and `read_parquet` are the gate. A
bad line is never repaired: it raises, or, where the caller asks for it, is set aside with its reason.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

#: The eight categories of VPTT 7.2.2, in the paper's order.
CATEGORIES = (
    "foreground",
    "background",
    "materials",
    "objects",
    "lighting",
    "actions",
    "environment",
    "appearance",
)
#: Further facets named in VPTT 3.2 and 9.3; a persona may carry them.
OPTIONAL_CATEGORIES = ("pose", "mood", "palette", "time of day", "expression")

PostKind = Literal["activity", "appreciation", "shared", "selfie"]
Gender = Literal["woman", "man", "non-binary", "unknown"]
Task = Literal["generation", "editing"]
Elements = dict[str, list[str]]


class Record(BaseModel):
    """A record whose fields are all known: a misspelt one is an error, not an extra."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Demographics(Record):
    """d of P = (d, E, C): what a persona could say about itself in words (VPTT 9.2.2, 20+ attributes)."""

    name: str
    age: int = Field(ge=18, le=100)
    gender: Gender
    ethnicity: str
    country: str
    city: str
    region: str
    language: str
    occupation: str
    industry: str
    workplace: str
    education: str
    career_stage: str
    household: str
    home: str
    neighbourhood: str
    interests: list[str] = Field(min_length=1)
    traits: list[str] = Field(min_length=1)
    values: str
    tone: str
    lifestyle: str
    daily_rhythm: str
    posting_habit: str
    camera: str
    pets: str
    travel: str


class Post(Record):
    """One of a persona's posts: the caption c_i and the elements E_i^(k) it shows, by category."""

    kind: PostKind
    scenario: str
    caption: str = Field(min_length=1)
    elements: Elements

    @model_validator(mode="after")
    def _known_categories(self) -> "Post":
        check_categories(self.elements)
        return self


class Persona(Record):
    """P = (d, E, C). `summary` is d as one paragraph: S_p in composition and the text behind Emb(P)."""

    id: str = Field(min_length=1)
    seed: str
    demographics: Demographics
    summary: str = Field(min_length=1)
    elements: Elements
    preferences: list[str]
    posts: list[Post] = Field(min_length=1)
    #: field of d -> "seed" (stated there), "sampled" (drawn by the grammar or an LLM) or "unknown" (left open)
    sources: dict[str, Literal["seed", "sampled", "unknown"]] = {}
    #: element, preference or interest -> the miniature world's attribute values it names (may be empty)
    implies: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _known_categories(self) -> "Persona":
        check_categories(self.elements)
        return self

    @property
    def captions(self) -> list[str]:
        """C: the captions of the posts, in their order."""
        return [post.caption for post in self.posts]


class Prompt(Record):
    """A base prompt p of the study (VPTT 4.2.3, Fig. 2)."""

    id: str
    task: Task
    text: str = Field(min_length=1)


class Rewrite(Record):
    """p': what a method made of a prompt for a persona, or, with `text` None, why there is none."""

    persona: str
    #: whose memory the method saw, and what the text depends on; scores for another reader keep it
    memory: str
    prompt: str
    method: str
    backend: str
    setting: float | None = None
    text: str | None
    reason: str | None = None

    @model_validator(mode="after")
    def _text_or_reason(self) -> "Rewrite":
        if (self.text is None) == (self.reason is None):
            raise ValueError("a rewrite has either a text or the reason why it is missing")
        return self


class RecordError(ValueError):
    """A record that a file should not hold; the message names file, line, field, got and expected."""


class Dropped(NamedTuple):
    """A line set aside: where it stood and why."""

    line: int
    reason: str


class Loaded(NamedTuple):
    """What `read_jsonl` returns: len(records) + len(dropped) == number of non-empty lines."""

    records: list[Any]
    dropped: list[Dropped]


def check_categories(elements: Elements) -> None:
    """Raise ValueError for a category that is neither one of the eight nor an optional one."""
    unknown = sorted(set(elements) - set(CATEGORIES) - set(OPTIONAL_CATEGORIES))
    if unknown:
        raise ValueError(f"unknown categories {unknown}; expected some of {CATEGORIES + OPTIONAL_CATEGORIES}")


def describe(error: ValidationError) -> str:
    """One line for pydantic's first complaint: field, what was got, what was expected."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "the record"
    got = repr(first["input"])
    got = got if len(got) <= 80 else got[:77] + "..."
    return f"field {field}: got {got}, expected: {first['msg']}"


def _parse(line: bytes, model: type[Record]) -> Record:
    """One line as a record; ValueError with a one-line reason."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(describe(error)) from None


def read_jsonl(path: str | Path, model: type[Record], *, quarantine: bool = False) -> Loaded:
    """Read one record per line.

    Args:
        path: a JSONL file in UTF-8 (a byte order mark is allowed); blank lines are skipped.
        model: the record type of every line.
        quarantine: set bad lines aside with their reason instead of raising.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: a bad line, unless `quarantine`; names file, line, field, got, expected.
    """
    records, dropped = [], []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not line.strip():
                continue
            try:
                records.append(_parse(line, model))
            except ValueError as error:
                if not quarantine:
                    raise RecordError(
                        f"{path}, line {number}, {error}. Mend the line, or read with quarantine=True"
                    ) from None
                dropped.append(Dropped(number, str(error)))
    return Loaded(records, dropped)


def to_jsonl(records: Iterable[Record]) -> bytes:
    """The records as JSONL, one per line, keys in the order of the model: same records, same bytes."""
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def to_table(records: Sequence[Record]) -> pa.Table:
    """The records as an Arrow table; nested fields become JSON text, so that any reader opens them."""
    rows = [record.model_dump(mode="json") for record in records]
    nested = {key for row in rows for key, value in row.items() if isinstance(value, (dict, list))}
    for row in rows:
        row.update({key: json.dumps(row[key], ensure_ascii=False) for key in nested})
    return pa.Table.from_pylist(rows)


def read_parquet(path: str | Path, model: type[Record]) -> list[Any]:
    """Read what `to_table` wrote. Raises RecordError naming file, row, field, got, expected."""
    records = []
    for number, row in enumerate(pq.read_table(path).to_pylist(), 1):
        for key, value in row.items():
            field = model.model_fields.get(key)
            if field is not None and isinstance(value, str) and field.annotation not in (str, str | None):
                row[key] = _from_json(value)
        try:
            records.append(model.model_validate(row))
        except ValidationError as error:
            raise RecordError(f"{path}, row {number}, {describe(error)}") from None
    return records


def _from_json(value: str) -> Any:
    """The value of a nested column; plain text (a Literal, say) stays as it is."""
    return json.loads(value) if value[:1] in "[{" else value
